"""Traces: they say no more than what happened, and none that was changed passes for one that was not."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from punie_sandbox import CallRecord, ExternalFunctions, ReplayError, RunResult, Sandbox, Status

THREE = "read_file('README.md')\ntry:\n    read_file('no')\nexcept FileNotFoundError:\n    pass"


async def test_a_call_that_was_ended_does_not_read_as_one_that_returned() -> None:
    """behaviour: records.unanswered."""
    done: list[int] = []

    async def put(number: int) -> None:
        await asyncio.Event().wait()
        done.append(number)

    async def fetch() -> None:
        raise ValueError("no")

    functions = ExternalFunctions([put, fetch], effects={"put": "write"}, awaited={"put", "fetch"})
    code = (
        "import asyncio\ntry:\n    await asyncio.gather(put(1), fetch())\n"
        "except ValueError as e:\n    print(e)"
    )
    async with Sandbox(functions) as sandbox:
        result = await sandbox.run(code)
    assert (result.status, result.stdout, done) == (Status.OK, "no\n", [])
    ended = "CancelledError: the run ended before the call did"
    assert result.calls[0] == CallRecord(1, "put", {"number": 1}, "write", "allow", error=ended)
    trace = result.to_json()
    async with Sandbox(functions) as sandbox:
        assert (await sandbox.replay(RunResult.from_json(trace))).to_json() == trace


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda calls: calls[1].update(error="SystemExit: 3"), "ends in no exception of a host"),
        (lambda calls: calls[1].update(error="anything"), "ends in no exception of a host"),
        (lambda calls: calls.append(calls[0] | {"id": 3}), "makes 2 calls, in the trace are 3"),
    ],
)
async def test_a_trace_with_other_answers_or_more_calls_is_refused(
    sandbox: Sandbox, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    """behaviour: trace.changed."""
    data = (await sandbox.run(THREE)).to_json()
    change(data["calls"])
    with pytest.raises(ReplayError, match=message):
        await sandbox.replay(RunResult.from_json(data))
    assert (await sandbox.run("1 + 1")).value == 2


async def test_the_trace_of_a_plan_that_was_stopped_replays(sandbox: Sandbox) -> None:
    """behaviour: trace.plan."""
    plan = await sandbox.plan("write_file('a', '1')\nrun_command('make')")
    trace = plan.result.to_json()
    assert trace["status"] == "plan_stopped"
    assert (await sandbox.replay(RunResult.from_json(trace))).to_json() == trace


@pytest.mark.parametrize(
    "code",
    [
        "print",
        "...",
        "ValueError('x')",
        "{'$repr': 'x'}",
        "@dataclass\nclass A:\n    x: int\n[A(1)]",
    ],
)
async def test_a_trace_that_was_read_is_written_as_it_was(sandbox: Sandbox, code: str) -> None:
    """behaviour: trace.stable."""
    text = json.dumps((await sandbox.run(code)).to_json())
    once = RunResult.from_json(json.loads(text))
    assert json.dumps(once.to_json()) == text
