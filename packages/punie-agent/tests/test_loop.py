"""The loop: what the model is told, what a watcher sees, and how a turn ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from punie_agent.contract import Contract
from punie_agent.errors import ModelError
from punie_agent.events import (
    CallFinished,
    CallStarted,
    CodeFinished,
    CodeStarted,
    Event,
    Retried,
    TextDelta,
    ThoughtDelta,
    UsageReport,
)
from punie_agent.loop import TurnLimits, TurnResult, run_turn
from punie_agent.models import Message, ModelReply, OfflineModel, Usage
from punie_agent.permissions import PermissionDecision, PermissionRequest, Permissions
from punie_agent.testing import Line, ScriptedModel
from punie_sandbox import ExternalFunctions, Policy, Sandbox
from punie_tools import LocalHost

ASK = [Message("user", "Go")]


class Turns:
    """A sandbox with a contract, and the events of the turns run with them."""

    def __init__(self, contract: Contract, sandbox: Sandbox) -> None:
        self.contract = contract
        self.sandbox = sandbox
        self.events: list[Event] = []

    async def run(
        self, *script: Line, cancel: asyncio.Event | None = None, **limits: int
    ) -> TurnResult:
        """Run one turn with this script."""
        self.model = ScriptedModel(script)
        return await run_turn(
            model=self.model,
            contract=self.contract,
            sandbox=self.sandbox,
            messages=ASK,
            on_event=self.events.append,
            limits=TurnLimits(**limits),
            cancel=cancel,
        )

    def seen(self, *kinds: type[Event]) -> list[Event]:
        """The events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def prose(self) -> str:
        """All text that was shown."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


@asynccontextmanager
async def opened(contract: Contract, policy: Policy | None = None) -> AsyncGenerator[Turns]:
    async with Sandbox(contract.functions, policy=policy) as sandbox:
        yield Turns(contract, sandbox)


async def test_a_plain_answer_ends_the_turn(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(ModelReply("Just **do** it.", Usage(7, 3, 1)))
    assert result == TurnResult(
        messages=(
            Message("system", contract.system_prompt),
            Message("user", "Go"),
            Message("assistant", "Just **do** it."),
        ),
        final_text="Just **do** it.",
        runs=(),
        stop_reason="end_turn",
        usage=Usage(7, 3, 1),
    )
    assert turns.prose == "Just **do** it."


async def test_code_runs_and_its_output_goes_back_to_the_model(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(
            'I check.\n\n```python\nprint(typecheck("app.py").error_count)\n```', "One error."
        )
    assert [message.content for message in result.messages[2:]] == [
        'I check.\n\n```python\nprint(typecheck("app.py").error_count)\n```',
        "```output\n1\n```",
        "One error.",
    ]
    assert result.final_text == "One error."
    assert [run.stdout for run in result.runs] == ["1\n"]


async def test_a_watcher_sees_everything_in_the_order_in_which_it_happens(
    contract: Contract,
) -> None:
    async with opened(contract) as turns:
        await turns.run('Look:\n```python\nprint(read_file("app.py"))\n```', "Read.")
    assert [type(event) for event in turns.events if not isinstance(event, TextDelta)] == [
        UsageReport,
        CodeStarted,
        CallStarted,
        CallFinished,
        CodeFinished,
        UsageReport,
    ]
    started, finished = turns.seen(CallStarted, CallFinished)
    assert started == CallStarted("code-2-1", "code-2-1.1", "read_file", {"path": "app.py"}, "read")
    assert finished == CallFinished(
        "code-2-1",
        "code-2-1.1",
        "read_file",
        "allow",
        'count: int = "three"',
        None,
        'count: int = "three"\n',
    )
    assert turns.prose == "Look:Read."


async def test_calls_are_reported_too_when_the_policy_is_not_ours(contract: Contract) -> None:
    async with opened(contract) as turns:
        await turns.run('```python\nprint(read_file("nowhere.py"))\n```', "Gone.")
    (finished,) = turns.seen(CallFinished)
    assert isinstance(finished, CallFinished)
    assert finished.error is not None
    assert finished.error.startswith("FileNotFoundError")


async def test_diagnostics_go_back_to_the_model_and_nothing_runs(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run('```python\nprint(typecheck("app.py").foo)\n```', "Sorry.")
    told = result.messages[3].content
    assert told.startswith("Not run, the code has errors:\nline 1: ")
    assert "foo" in told
    assert result.runs[0].calls == ()


async def test_a_model_that_keeps_failing_is_told_to_answer_and_then_stopped(
    contract: Contract,
) -> None:
    bad = "```python\nprint(nope)\n```"
    async with opened(contract) as turns:
        result = await turns.run(bad, bad, bad, f"Again.\n{bad}", failures=2)
    assert result.messages[-2].content.endswith("Answer in plain text now, without code.")
    assert (result.final_text, result.stop_reason, len(result.runs)) == ("Again.", "end_turn", 3)


async def test_a_model_that_runs_the_same_again_is_told_so_and_stopped(contract: Contract) -> None:
    again = "```python\nprint(1)\n```"
    async with opened(contract) as turns:
        result = await turns.run(again, again, again, f"Once more.\n{again}", failures=1)
    assert result.messages[3].content == "```output\n1\n```"
    assert result.messages[5].content.startswith("```output\n1\n```\nYou ran exactly this before")
    assert (result.final_text, len(result.runs)) == ("Once more.", 3)


async def test_a_model_that_goes_round_in_a_circle_of_two_programs_is_stopped(
    contract: Contract,
) -> None:
    one, two = "```python\nprint(1)\n```", "```python\nprint(2)\n```"
    async with opened(contract) as turns:
        result = await turns.run(one, two, one, two, f"Once more.\n{one}", failures=1)
    told = [message.content for message in result.messages if message.role == "user"][1:]
    assert told[:3] == ["```output\n1\n```", "```output\n2\n```", "```output\n1\n```"]
    assert told[3].endswith("Answer in plain text now, without code.")
    assert (result.final_text, len(result.runs)) == ("Once more.", 4)


async def test_what_is_new_between_two_checks_is_no_circle(contract: Contract) -> None:
    check = '```python\nprint(typecheck("app.py").error_count)\n```'
    others = [f"```python\nprint({number})\n```" for number in range(3)]
    async with opened(contract) as turns:
        result = await turns.run(
            check, others[0], check, others[1], check, others[2], check, "So it is.", failures=1
        )
    assert (result.final_text, len(result.runs)) == ("So it is.", 7)


async def test_an_empty_message_is_asked_for_again(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run("", "Here.")
    assert result.final_text == "Here."
    assert turns.seen(Retried) == [Retried("the model's message was empty")]
    assert [message.role for message in result.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]


async def test_a_model_that_says_nothing_is_not_asked_for_ever(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(*[""] * 20)
    assert (result.stop_reason, result.final_text, result.usage.requests) == (
        "max_turn_requests",
        "",
        4,
    )
    assert result.notice == "The turn reached its limit before there was an answer."


@pytest.mark.parametrize(
    "call",
    [
        '```python\nwrite_file("app.py", "x',
        'write_file("app.py", "x")\nwrite_file("b.py", "y")',
        '{"name": "execute_code", "arguments": {"code": "write_file(\\"app.py\\", \\"x\\")\\nprint(1)',
        r'{"name": "execute_code", "arguments": "{\"code\": \"print(1)\\nwrite_file("}',
        '{"name": "execute_code", "arguments": {',
        "<tool_call>\n<function=execute_code>\n",
    ],
)
async def test_code_cut_off_by_the_length_limit_does_not_run(contract: Contract, call: str) -> None:
    said = "" if call.startswith(("{", "write_file")) else "I write it."
    async with opened(contract) as turns:
        result = await turns.run(ModelReply(f"{said}\n{call}", finish="length"), "Too long.")
    assert (result.runs, result.stop_reason) == ((), "end_turn")
    assert [message.content for message in result.messages[2:]] == [
        said or "(no answer)",
        "Your message was cut off because it was too long, so nothing ran. Write shorter code.",
        "Too long.",
    ]
    assert turns.prose == f"{said}Too long."
    assert result.notice.startswith("The last code was cut off and was not run.")


async def test_a_model_whose_code_is_cut_off_each_time_is_not_asked_for_ever(
    contract: Contract,
) -> None:
    cut = ModelReply("```python\nwrite_file('app.py', 'x", Usage(10, 10, 1), finish="length")
    async with opened(contract) as turns:
        result = await turns.run(cut, cut, cut, failures=1)
    assert (result.stop_reason, result.runs, result.usage.requests) == ("max_tokens", (), 2)
    assert result.notice.startswith("The last code was cut off and was not run.")


async def test_an_answer_cut_off_by_the_length_limit_says_max_tokens(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(ModelReply("A long ans", finish="length"))
    assert (result.final_text, result.stop_reason) == ("A long ans", "max_tokens")


async def test_the_number_of_model_requests_is_bounded(contract: Contract) -> None:
    act = "```python\nprint(1)\n```"
    async with opened(contract) as turns:
        result = await turns.run(act, act, act, requests=2)
    assert (result.stop_reason, len(result.runs), result.usage.requests) == (
        "max_turn_requests",
        2,
        2,
    )


async def test_the_tokens_of_a_turn_are_bounded(contract: Contract) -> None:
    act = ModelReply("```python\nprint(1)\n```", Usage(90, 10, 1))
    async with opened(contract) as turns:
        result = await turns.run(act, act, act, total_tokens=150)
    assert (result.stop_reason, result.usage) == ("max_turn_requests", Usage(180, 20, 2))


async def test_a_failing_model_ends_the_turn_with_its_error(contract: Contract) -> None:
    async with opened(contract) as turns:
        with pytest.raises(ModelError, match="is down"):
            await turns.run(ModelError("the server is down"))


async def test_a_model_that_fails_after_a_run_gives_back_what_was_done(contract: Contract) -> None:
    code = "```python\nprint(1)\n```"
    async with opened(contract) as turns:
        with pytest.raises(ModelError) as caught:
            await turns.run(code, ModelError("gone"))
        assert [message.content for message in caught.value.conversation[1:]] == [
            "Go",
            code,
            "```output\n1\n```",
            "(no answer)",
        ]
        with pytest.raises(ModelError) as caught:
            await turns.run(ModelError("gone"))
        assert caught.value.conversation == ()


async def test_reasoning_is_reported_apart_and_is_not_in_the_history(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(ModelReply("Yes.", thought="Let me think."))
    assert turns.seen(ThoughtDelta) == [ThoughtDelta("Let me think.")]
    assert result.messages[-1] == Message("assistant", "Yes.")


async def test_the_system_prompt_of_another_contract_is_replaced(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await run_turn(
            model=ScriptedModel(["Hello."]),
            contract=contract,
            sandbox=turns.sandbox,
            messages=[Message("system", "You are another one."), Message("user", "Hi")],
        )
    assert result.messages[0] == Message("system", contract.system_prompt)


async def test_variables_live_from_one_run_to_the_next(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await turns.run(
            "```python\nn = 41\nprint(n)\n```", "```python\nprint(n + 1)\n```", "It is 42."
        )
    assert [run.stdout for run in result.runs] == ["41\n", "42\n"]


class Blocking:
    """A host function that waits until it is cancelled, and says so."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended = False

    async def wait_long(self, seconds: int) -> str:
        """Wait."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True
        return f"{seconds}"


async def test_a_cancel_during_a_call_ends_the_call_and_keeps_the_conversation(
    contract: Contract,
) -> None:
    blocking = Blocking()
    own = Contract(ExternalFunctions([blocking.wait_long]))
    cancel = asyncio.Event()
    async with opened(own, Permissions(mode="auto")) as turns:
        turn = asyncio.create_task(turns.run("```python\nprint(wait_long(5))\n```", cancel=cancel))
        await blocking.started.wait()
        cancel.set()
        result = await turn
        assert blocking.ended
        assert result.stop_reason == "cancelled"
        assert [message.role for message in result.messages] == [
            "system",
            "user",
            "assistant",
            "user",
            "assistant",
        ]
        assert turns.seen(CallFinished) == [
            CallFinished(
                "code-2-1",
                "code-2-1.1",
                "wait_long",
                "allow",
                "cancelled",
                "the run ended before the call did",
            )
        ]
        assert turns.events[-1] == CodeFinished("code-2-1", None)
        after = await turns.run("Still here.")
    assert after.final_text == "Still here."


async def test_a_cancel_while_the_model_answers_keeps_what_was_shown(contract: Contract) -> None:
    cancel = asyncio.Event()

    class Endless(ScriptedModel):
        async def reply(self, messages, *, on_text=None, **options):
            assert on_text is not None
            on_text("The first words of the answer, ")
            cancel.set()
            await asyncio.Event().wait()

    async with opened(contract) as turns:
        result = await run_turn(
            model=Endless([]), contract=contract, sandbox=turns.sandbox, messages=ASK, cancel=cancel
        )
    assert result.messages[-1] == Message(
        "assistant", "The first words of the answer,\n(cancelled by the user)"
    )


@pytest.mark.parametrize(
    "answer", ['```python\nwrite_file("new.py", "x = 1")\n```', ""], ids=["code", "nothing"]
)
async def test_a_cancel_that_got_lost_still_ends_the_turn(
    contract: Contract, host: LocalHost, answer: str
) -> None:
    cancel = asyncio.Event()

    class Stubborn(ScriptedModel):
        async def reply(self, messages, **options):
            cancel.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return await super().reply(messages, **options)

    model = Stubborn([answer, "Written."])
    async with opened(contract, Permissions(mode="auto", host=host)) as turns:
        result = await run_turn(
            model=model, contract=contract, sandbox=turns.sandbox, messages=ASK, cancel=cancel
        )
    assert (result.stop_reason, result.runs, len(model.seen)) == ("cancelled", (), 1)
    assert result.messages[-1] == Message("assistant", "(cancelled by the user)")
    assert not (host.roots[0] / "new.py").exists()


async def test_a_cancel_while_a_permission_is_pending_denies_nothing_and_ends(
    contract: Contract, host: LocalHost
) -> None:
    cancel = asyncio.Event()

    async def never(_request: PermissionRequest) -> PermissionDecision:
        cancel.set()
        await asyncio.Event().wait()
        raise AssertionError

    policy = Permissions(never, host=host)
    async with opened(contract, policy) as turns:
        result = await turns.run('```python\nwrite_file("a", "b")\n```', cancel=cancel)
    assert result.stop_reason == "cancelled"
    assert not (host.roots[0] / "a").exists()


@pytest.mark.parametrize(
    ("request_text", "printed"),
    [
        ("Check types in app.py", "findings: 1 errors, 0 warnings"),
        ("Read app.py", 'count: int = "three"'),
        ("Write 'x = 1' to new.py", "Wrote 5 characters to new.py"),
    ],
)
async def test_the_offline_model_acts_with_the_real_tools(
    contract: Contract, request_text: str, printed: str
) -> None:
    async with opened(contract) as turns:
        result = await run_turn(
            model=OfflineModel(),
            contract=contract,
            sandbox=turns.sandbox,
            messages=[Message("user", request_text)],
        )
    assert result.runs[0].stdout.splitlines()[0] == printed
    assert "test model" in result.messages[2].content


async def test_the_offline_model_says_what_it_understands(contract: Contract) -> None:
    async with opened(contract) as turns:
        result = await run_turn(
            model=OfflineModel(),
            contract=contract,
            sandbox=turns.sandbox,
            messages=[Message("user", "Hi!")],
        )
    assert "no language model" in result.final_text
    assert '"Check types in PATH"' in result.final_text
