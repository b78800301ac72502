"""A run that waits for a person goes on in another process, with the answer given there."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from punie_agent.errors import SessionError
from punie_agent.events import CallFinished, CallStarted, CodeFinished, CodeStarted, Event
from punie_agent.loop import TurnResult, run_turn
from punie_agent.models import Message
from punie_agent.paths import signing_key
from punie_agent.paused import PausedRun
from punie_agent.permissions import Outcome, PermissionDecision, PermissionRequest
from punie_agent.testing import ScriptedModel
from punie_agent.workbench import open_workbench

WRITE = '```python\nbefore = read_file("app.py")\nprint(write_file("new.py", before))\nprint("after")\n```'


async def turn(
    project: Path,
    outcome: Outcome,
    messages: list[Message],
    *script: str,
    paused: PausedRun | None = None,
    events: list[Event] | None = None,
    asked: list[PermissionRequest] | None = None,
) -> TurnResult:
    """One turn in a sandbox of its own, as a process of its own would run it."""

    async def asker(request: PermissionRequest) -> PermissionDecision:
        if asked is not None:
            asked.append(request)
        return PermissionDecision(outcome)

    model = ScriptedModel(script)
    async with open_workbench(project, model, asker=asker) as bench:
        return await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=messages,
            on_event=events.append if events is not None else None,
            permissions=bench.permissions,
            paused=paused,
        )


async def stopped(project: Path) -> TurnResult:
    result = await turn(project, "defer", [Message("user", "Copy it")], WRITE)
    assert result.stop_reason == "paused"
    assert not (project / "new.py").exists()
    return result


async def test_a_deferred_answer_pauses_the_run_as_a_value_that_can_be_stored(
    project: Path,
) -> None:
    result = await stopped(project)
    assert result.paused is not None
    assert not result.paused.plans
    assert result.runs == ()
    stored = json.loads(json.dumps(result.paused.to_json()))
    assert PausedRun.from_json(stored) == result.paused


@pytest.mark.parametrize(("outcome", "written"), [("allow_once", True), ("reject", False)])
async def test_another_process_asks_again_and_the_run_goes_on(
    project: Path, outcome: Outcome, written: bool
) -> None:
    first = await stopped(project)
    assert first.paused is not None
    events: list[Event] = []
    result = await turn(
        project,
        outcome,
        [*first.messages, Message("user", "And now?")],
        "Copied, or not.",
        paused=PausedRun.from_json(first.paused.to_json()),
        events=events,
    )
    assert (project / "new.py").exists() is written
    assert result.stop_reason == "end_turn"
    assert result.paused is None
    roles = [message.role for message in result.messages]
    assert roles == ["system", "user", "assistant", "user", "user", "assistant"]
    assert ("after" in result.messages[3].content) is written
    assert ("PermissionError" in result.messages[3].content) is not written
    kinds = [type(each) for each in events if isinstance(each, (CodeStarted, CodeFinished))]
    assert kinds == [CodeStarted, CodeFinished]
    started = [each.call_id for each in events if isinstance(each, CallStarted)]
    assert sorted(started) == sorted(
        each.call_id for each in events if isinstance(each, CallFinished)
    )


async def test_it_can_go_on_waiting(project: Path) -> None:
    first = await stopped(project)
    result = await turn(
        project, "defer", [*first.messages, Message("user", "Hello?")], paused=first.paused
    )
    assert (result.stop_reason, result.paused) == ("paused", first.paused)


def spoilt(data: dict[str, Any], how: str) -> dict[str, Any]:
    """What was stored, with one thing changed by somebody without the key."""
    blob = base64.b64decode(data["blob"])
    changed = {
        "another path": blob.replace(b"new.py", b"app.py"),
        "another tool": blob.replace(b"write_file", b"read_file"),
        "another text": blob.replace(b"three", b"seven"),
        "the state": blob[:-8] + bytes(8),
        "a plan instead": b"PUNIE-PLAN\x00\x01" + bytes(32) + b"write_file('app.py', '')",
        "nothing": b"",
    }[how]
    assert changed != blob
    return {**data, "blob": base64.b64encode(changed).decode()}


@pytest.mark.parametrize(
    "how",
    ["another path", "another tool", "another text", "the state", "a plan instead", "nothing"],
)
async def test_a_state_that_was_tampered_with_does_not_run_and_the_model_hears_of_it(
    project: Path, how: str
) -> None:
    first = await stopped(project)
    assert first.paused is not None
    forged = PausedRun.from_json(spoilt(first.paused.to_json(), how))
    events: list[Event] = []
    asked: list[PermissionRequest] = []
    messages = [*first.messages, Message("user", "Go on")]
    result = await turn(
        project, "allow_once", messages, "I see.", paused=forged, events=events, asked=asked
    )
    assert "the paused run could not go on" in result.messages[3].content
    assert asked == []
    assert (project / "app.py").read_text() == 'count: int = "three"\n'
    assert not (project / "new.py").exists()
    codes = [each for each in events if isinstance(each, (CodeStarted, CodeFinished))]
    assert [type(each) for each in codes] == [CodeStarted, CodeFinished]
    assert (result.stop_reason, result.paused) == ("end_turn", None)


async def test_what_is_shown_and_asked_about_comes_from_the_signed_bytes(project: Path) -> None:
    first = await stopped(project)
    assert first.paused is not None
    lies = {"code": "print(1)", "tool": "read_file", "effect": "read", "arguments": {"path": "x"}}
    taken_up = PausedRun.from_json({**lies, **first.paused.to_json()})
    asked: list[PermissionRequest] = []
    events: list[Event] = []
    messages = [*first.messages, Message("user", "Go on")]
    await turn(project, "reject", messages, "Well.", paused=taken_up, events=events, asked=asked)
    (request,) = asked
    assert (request.tool, request.effect, request.path) == ("write_file", "write", "new.py")
    assert request.new_text == 'count: int = "three"\n'
    (started,) = [each for each in events if isinstance(each, CodeStarted)]
    assert started.code in WRITE


@pytest.mark.parametrize("data", [None, [], {}, {"blob": "!"}, {"blob": ""}])
def test_damaged_stored_data_is_refused(data: object) -> None:
    with pytest.raises(SessionError, match="the stored paused run is damaged"):
        PausedRun.from_json(data)


def test_the_signing_key_is_made_once_and_readable_by_its_user_alone(data_dir: Path) -> None:
    key = signing_key()
    assert len(key) == 32
    assert signing_key() == key
    assert (data_dir / "signing.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in data_dir.iterdir()] == ["signing.key"]


@pytest.mark.parametrize("answered", [False, True])
async def test_a_cancel_leaves_an_open_question_open_and_never_runs_a_run_twice(
    project: Path, answered: bool
) -> None:
    code = 'write_file("new.py", "x = 1")\nrun_command("touch started; sleep 600")'
    first = await turn(project, "defer", [Message("user", "Go")], f"```python\n{code}\n```")
    cancel = asyncio.Event()

    async def asker(request: PermissionRequest) -> PermissionDecision:
        if request.tool == "run_command" or not answered:
            cancel.set()
            await asyncio.Event().wait()
        return PermissionDecision("allow_once")

    model = ScriptedModel([])
    async with open_workbench(project, model, asker=asker) as bench:
        result = await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[*first.messages, Message("user", "Go on")],
            permissions=bench.permissions,
            cancel=cancel,
            paused=first.paused,
        )
    assert result.stop_reason == "cancelled"
    assert (project / "new.py").exists() is answered
    assert result.paused == (None if answered else first.paused)
