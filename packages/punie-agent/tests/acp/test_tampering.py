"""Whoever can write a session's journal, but has not the key, decides nothing about what is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WRITE = "```python\nwrite_file('{}', 'x')\n```"


async def paused(bench: Any, name: str) -> str:
    """Return a session whose run waits to write a file, its editor and its agent being gone."""
    async with bench.agent(bench.scripted(WRITE.format(name)), check=False) as agent:
        asked = bench.leave_unanswered(agent)
        session = await bench.session(agent)
        agent.begin("session/prompt", bench.prompt(session, "write"))
        await asked.wait()
        agent.process.stdin.close()
        assert await agent.wait_exit() == 0
    return session


def records(bench: Any, session: str) -> tuple[Path, list[dict[str, Any]]]:
    """Return a session's journal and what is in it."""
    journal = bench.data / "sessions" / session / "journal.jsonl"
    return journal, [json.loads(line) for line in journal.read_text().splitlines()]


def waiting(bench: Any, session: str) -> dict[str, Any]:
    """Return the record of the run that waits."""
    return next(each for each in records(bench, session)[1] if each["kind"] == "paused")


async def go_on(bench: Any, session: str, chosen: Any) -> tuple[Any, int]:
    """Take the session up, allow everything; return the agent and how often it asked."""
    async with bench.agent(bench.scripted("Well.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        assert await bench.say(agent, session, "go on") == "end_turn"
        return agent, len(agent.received("session/request_permission"))


async def test_a_run_that_waits_in_another_session_cannot_be_slipped_in(bench, chosen):
    first, second = await paused(bench, "first.txt"), await paused(bench, "second.txt")
    foreign = waiting(bench, second)
    journal, kept = records(bench, first)
    changed = [foreign if each["kind"] == "paused" else each for each in kept]
    journal.write_text("".join(f"{json.dumps(each)}\n" for each in changed))
    _, asked = await go_on(bench, first, chosen)
    assert asked == 0
    assert list(bench.project.iterdir()) == []
    assert "the paused run could not go on" in journal.read_text()
    _, asked = await go_on(bench, second, chosen)
    assert asked == 1
    assert [path.name for path in bench.project.iterdir()] == ["second.txt"]


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "é", 7])
async def test_a_permission_that_nobody_gave_is_none(bench, chosen, signature):
    session = await paused(bench, "new.txt")
    journal, _ = records(bench, session)
    forged = {"kind": "rules", "rules": ["write_file"]}
    if signature is not None:
        forged["signature"] = signature
    with journal.open("a") as file:
        file.write(f"{json.dumps(forged)}\n")
    _, asked = await go_on(bench, session, chosen)
    assert asked == 1


async def test_a_permission_given_for_the_session_holds_in_a_fresh_process(bench, chosen):
    code = WRITE.format("new.txt")
    async with bench.agent(bench.scripted(code, "Done.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_session")
        session = await bench.session(agent)
        await bench.say(agent, session, "write")
    async with bench.agent(bench.scripted(code, "Done.")) as agent:
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        await bench.say(agent, session, "write")
        assert agent.received("session/request_permission") == []
