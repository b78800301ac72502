"""What is kept, told and let go of when a turn did not go as it should."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from punie_agent.acp.testing import WireError


@pytest.mark.parametrize("how", ["the editor closes", "SIGTERM"])
async def test_a_plan_whose_editor_is_lost_is_not_applied_and_is_put_to_the_next_one(
    bench, chosen, how
):
    code = "```python\nwrite_file('a.txt', read_file('seed') + '!')\n```"
    (bench.project / "seed").write_text("seed")
    async with bench.agent(bench.scripted(code), check=False) as agent:
        asked = bench.leave_unanswered(agent)
        session = await bench.session(agent)
        await agent.request("session/set_mode", {"sessionId": session, "modeId": "plan"})
        agent.begin("session/prompt", bench.prompt(session, "write"))
        await asked.wait()
        if how == "SIGTERM":
            agent.process.terminate()
        else:
            agent.process.stdin.close()
        assert await agent.wait_exit() == (128 + signal.SIGTERM if how == "SIGTERM" else 0)
    assert not (bench.project / "a.txt").exists()
    (bench.project / "seed").write_text("newer seed")
    async with bench.agent(bench.scripted("Done.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        assert await bench.say(agent, session, "go on") == "end_turn"
        assert (bench.project / "a.txt").read_text() == "newer seed!"
        [again] = agent.received("session/request_permission")
        assert again["params"]["toolCall"]["title"] == "Change a.txt"


async def test_a_claim_after_code_that_never_ran_is_put_right_by_punie_itself(bench):
    lines = ("```python\nprint(nope)\n```", "There are no errors.")
    async with bench.agent(bench.shared(*lines)) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "check") == "end_turn"
        said = (
            "There are no errors.\n\n> **Punie:** Nothing was run: the code failed its check. "
            "What is said above rests on no result.\n"
        )
        assert agent.said() == said
        before = len(agent.frames)
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        assert said in [
            frame["params"]["update"]["content"]["text"]
            for _, frame in agent.frames[before:]
            if "agent_message_chunk" in str(frame)
        ]


async def test_a_terminal_that_opens_after_the_turn_was_cancelled_is_let_go_of(bench, chosen):
    asked, answer = asyncio.Event(), asyncio.Event()
    released = asyncio.Event()

    async def slowly(_):
        asked.set()
        await answer.wait()
        return {"terminalId": "late"}

    code = "```python\nrun_command('make')\n```"
    async with bench.agent(bench.shared(code, "Done."), terminal=True) as agent:
        agent.on |= {
            "session/request_permission": chosen("allow_once"),
            "terminal/create": slowly,
            "terminal/release": lambda _: released.set() or {},
        }
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "build"))
        await asked.wait()
        agent.notify("session/cancel", {"sessionId": session})
        assert await turn == {"stopReason": "cancelled"}
        answer.set()
        await asyncio.wait_for(released.wait(), 120)
        [release] = agent.received("terminal/release")
        assert release["params"]["terminalId"] == "late"


RECALL = """
from punie_agent.errors import ModelUnavailableError
from punie_agent.testing import ScriptedModel
def make():
    return ScriptedModel([CODE, NEXT, lambda seen: " / ".join(m.content for m in seen[1:])])
"""


async def test_what_was_done_before_the_model_failed_is_known_to_the_next_turn(bench):
    code = "```python\nprint(6 * 7)\n```"
    source = RECALL.replace("CODE", repr(code)).replace("NEXT", "ModelUnavailableError('gone')")
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        with pytest.raises(WireError, match="gone"):
            await bench.say(agent, session, "compute")
        await bench.say(agent, session, "so?")
        heard = ["compute", code, "```output\n42\n```", "(no answer)", "so?"]
        assert agent.said() == " / ".join(heard)


async def test_what_a_cancelled_request_had_done_is_known_to_the_next_turn(bench):
    code = "```python\nprint(6 * 7)\n```"
    wait = "```python\nrun_command('touch started; sleep 600')\n```"
    source = RECALL.replace("CODE", repr(code)).replace("NEXT", repr(wait))
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        await agent.request("session/set_mode", {"sessionId": session, "modeId": "auto"})
        turn = agent.begin("session/prompt", bench.prompt(session, "compute"))
        async with asyncio.timeout(120):
            while not (bench.project / "started").exists():
                await asyncio.to_thread(lambda: None)
        agent.notify("$/cancel_request", {"requestId": agent.last_id})
        [error] = await asyncio.gather(turn, return_exceptions=True)
        assert getattr(error, "code", None) == -32800
        await bench.say(agent, session, "so?")
        assert agent.said().startswith(f"compute / {code} / ```output\n42\n``` / {wait} / Stopped")


async def test_turns_are_recorded_where_their_user_wants_that(bench, chosen):
    (bench.data / "traces").mkdir(parents=True)
    (bench.data / "traces" / "on").touch()
    command = bench.scripted("```python\nwrite_file('a', 'b')\n```", "Done.", repeat=True)
    async with bench.agent(command) as agent:
        for option in ("allow_once", "reject"):
            agent.on["session/request_permission"] = chosen(option)
            session = await bench.session(agent)
            await bench.say(agent, session, "write")
        await bench.say(agent, session, "/check")  # nothing that the model wrote
        await agent.request("session/set_mode", {"sessionId": session, "modeId": "plan"})
        await bench.say(agent, session, "write")
    traces = [
        json.loads(path.read_text()) for path in sorted((bench.data / "traces").glob("*.json"))
    ]
    verdicts = sorted(each["outcome"]["verdict"] for each in traces)
    assert verdicts == ["accepted", "rejected", "rejected"]
    assert {each["prompt"] for each in traces} == {"write"}
