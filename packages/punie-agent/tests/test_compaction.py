"""A conversation that fills the context is shortened, and what matters stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punie_agent._compaction import compact, estimate_tokens
from punie_agent.contract import Contract
from punie_agent.errors import ModelError
from punie_agent.events import Compacted, Event, Retried
from punie_agent.loop import run_turn
from punie_agent.models import Message, ModelReply
from punie_agent.testing import ScriptedModel
from punie_sandbox import Sandbox

SYSTEM = Message("system", "You are Punie.")
FIRST = Message("user", "Fix the errors.")


def exchanges(count: int, size: int = 3_000) -> list[Message]:
    found = [SYSTEM, FIRST]
    for number in range(count):
        found.append(Message("assistant", f"```python\nprint({number})\n```"))
        found.append(Message("user", f"```output\n{str(number) * size}\n```"))
    return [*found, Message("assistant", "Done."), Message("user", "And now the next thing.")]


def test_a_conversation_that_fits_is_left_alone() -> None:
    messages = exchanges(3)
    assert compact(messages, 10_000) == messages


def test_old_output_is_cut_first() -> None:
    messages = exchanges(3)
    kept = compact(messages, 2_200)
    assert len(kept) == len(messages)
    assert "[cut: 2605 of 3004 characters]" in kept[3].content
    assert kept[3].content.startswith("```output\n000")
    assert kept[-4:] == messages[-4:]


def test_then_whole_exchanges_are_left_out_with_a_note() -> None:
    messages = exchanges(40)
    kept = compact(messages, 3_000)
    assert kept[0] == SYSTEM
    assert kept[1] == Message(
        "user", "Fix the errors.\n\n(Earlier messages were left out to make room.)"
    )
    assert kept[2].role == "assistant"
    assert kept[-4:] == messages[-4:]
    assert estimate_tokens(kept) <= 3_000
    assert compact([*kept, *exchanges(40)[2:]], 3_000)[1] == kept[1]


def test_output_in_the_newest_messages_is_cut_where_nothing_else_is_left() -> None:
    messages = exchanges(1, size=12_000)
    kept = compact(messages, 2_000)
    assert [each.role for each in kept] == [each.role for each in messages]
    assert kept[3].content.startswith("```output\n000")
    assert kept[3].content.endswith("000\n```")
    assert "characters]\n" in kept[3].content
    assert 1_900 < estimate_tokens(kept) <= 2_000
    assert [*kept[:3], *kept[4:]] == [*messages[:3], *messages[4:]]


def test_the_newest_output_keeps_the_most() -> None:
    messages = exchanges(2, size=6_000)[
        :-2
    ]  # the model is about to read what the second run printed
    kept = compact(messages, 1_800)
    assert len(kept[3].content) < 500
    assert len(kept[5].content) > 4_000
    assert estimate_tokens(kept) <= 1_800


MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant"]), st.text(max_size=400)), max_size=30
)


@given(MESSAGES, st.integers(0, 2_000))
def test_the_ends_always_stay(middle: list[Message], limit: int) -> None:
    messages = [SYSTEM, FIRST, *middle]
    kept = compact(messages, limit)
    assert kept[0] == SYSTEM
    assert kept[1].content.startswith(FIRST.content)
    assert kept[-2:] == messages[-2:] or len(messages) < 4 or kept[1] == kept[-2]
    assert len(kept) <= len(messages)


async def test_the_loop_compacts_before_the_model_is_asked_and_says_so(contract: Contract) -> None:
    events: list[Event] = []
    model = ScriptedModel(["Next."], context_limit=4_000)
    async with Sandbox(contract.functions) as sandbox:
        result = await run_turn(
            model=model,
            contract=contract,
            sandbox=sandbox,
            messages=exchanges(40),
            on_event=events.append,
        )
    (compacted,) = [event for event in events if isinstance(event, Compacted)]
    assert compacted.messages_before == 84
    assert compacted.messages_after == len(model.seen[0]) < 84
    assert result.messages[-1] == Message("assistant", "Next.")


async def test_a_passing_trouble_of_the_model_is_tried_again(contract: Contract) -> None:
    events: list[Event] = []
    broke = ModelError("the connection broke", transient=True)
    async with Sandbox(contract.functions) as sandbox:
        result = await run_turn(
            model=ScriptedModel([broke, ModelReply("Here.")]),
            contract=contract,
            sandbox=sandbox,
            messages=[FIRST],
            on_event=events.append,
        )
    assert result.final_text == "Here."
    assert [event for event in events if isinstance(event, Retried)] == [
        Retried("the connection broke")
    ]
