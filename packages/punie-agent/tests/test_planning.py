"""Plan mode: one diff, one question, and all of it or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from punie_agent.events import CallFinished, CodeFinished, Event
from punie_agent.loop import TurnResult, run_turn
from punie_agent.models import Message
from punie_agent.paused import PausedRun
from punie_agent.permissions import (
    FileChange,
    Mode,
    Outcome,
    PermissionDecision,
    PermissionRequest,
)
from punie_agent.testing import ScriptedModel
from punie_agent.workbench import open_workbench

FIX = """```python
text = read_file("app.py")
write_file("app.py", text.replace('"three"', "3"))
write_file("new.py", "x = 1\\n")
print(read_file("app.py"))
```"""


class Person:
    """Answers every question in one way and remembers the questions."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome: Outcome = outcome
        self.asked: list[PermissionRequest] = []

    async def __call__(self, request: PermissionRequest) -> PermissionDecision:
        """Answer."""
        self.asked.append(request)
        return PermissionDecision(self.outcome, "not like this" if self.outcome == "reject" else "")


async def plan(project: Path, person: Person, *script: str) -> tuple[TurnResult, list[Event]]:
    model = ScriptedModel([*script, "Done."])
    events: list[Event] = []
    async with open_workbench(project, model, asker=person, mode="plan") as bench:
        result = await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[Message("user", "Fix it")],
            on_event=events.append,
            permissions=bench.permissions,
        )
    return result, events


async def test_a_whole_script_is_asked_for_once_with_one_diff(project: Path) -> None:
    person = Person("allow_once")
    result, events = await plan(project, person, FIX)
    assert person.asked == [
        PermissionRequest(
            code_id="code-2-1",
            call_id="",
            tool="plan",
            effect="write",
            title="Change 2 files: app.py, new.py",
            diff='--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-count: int = "three"\n+count: int = 3\n'
            "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x = 1\n",
            changes=(
                FileChange("app.py", 'count: int = "three"\n', "count: int = 3\n"),
                FileChange("new.py", None, "x = 1\n"),
            ),
        )
    ]
    assert (project / "app.py").read_text() == "count: int = 3\n"
    assert (project / "new.py").read_text() == "x = 1\n"
    assert result.messages[3].content == (
        "```output\ncount: int = 3\n```\nWritten: app.py, new.py. The variables of this run are gone."
    )
    assert [event.tool for event in events if isinstance(event, CallFinished)] == [
        "read_file",
        "write_file",
        "write_file",
        "read_file",
    ]


async def test_a_rejected_plan_writes_nothing_and_the_model_hears_why(project: Path) -> None:
    result, _ = await plan(project, Person("reject"), FIX)
    assert (project / "app.py").read_text() == 'count: int = "three"\n'
    assert not (project / "new.py").exists()
    assert result.messages[3].content.endswith(
        "Error: PermissionError: nothing was written: not like this"
    )


async def test_a_script_that_fails_on_the_overlay_is_not_asked_for(project: Path) -> None:
    person = Person("allow_once")
    result, _ = await plan(
        project, person, FIX.replace("print(read_file", "print(1 / 0, read_file")
    )
    assert person.asked == []
    assert "ZeroDivisionError" in result.messages[3].content
    assert not (project / "new.py").exists()


async def test_a_command_after_changes_is_left_for_the_next_step(project: Path) -> None:
    person = Person("allow_once")
    result, _ = await plan(
        project,
        person,
        FIX.replace("print(read_file", 'run_command("touch done")\nprint(read_file'),
    )
    assert [request.tool for request in person.asked] == ["plan"]
    assert result.messages[3].content.endswith("Not done yet, from here on: Run touch done.")
    assert (project / "new.py").exists()
    assert not (project / "done").exists()


async def test_code_that_only_reads_runs_as_usual(project: Path) -> None:
    person = Person("reject")
    result, _ = await plan(
        project,
        person,
        '```python\nn = 2\nprint(read_file("app.py"))\n```',
        "```python\nprint(n)\n```",
    )
    assert person.asked == []
    assert [run.stdout for run in result.runs] == ['count: int = "three"\n\n', "2\n"]


@pytest.mark.parametrize(("outcome", "there"), [("allow_once", True), ("reject", False)])
async def test_a_command_without_changes_before_it_is_asked_for_by_itself(
    project: Path, outcome: Outcome, there: bool
) -> None:
    person = Person(outcome)
    await plan(project, person, '```python\nprint(run_command("touch done"))\n```')
    assert [request.command for request in person.asked] == ["touch done"]
    assert (project / "done").exists() is there


async def test_a_rewriting_tool_is_part_of_the_plan(project: Path) -> None:
    person = Person("allow_once")
    code = 'print(cst_rename("app.py", "count", "total").success)\nprint(read_file("app.py"))'
    result, _ = await plan(project, person, f"```python\n{code}\n```")
    assert [request.title for request in person.asked] == ["Change app.py"]
    assert (project / "app.py").read_text() == 'total: int = "three"\n'
    assert 'total: int = "three"' in result.runs[0].stdout


async def test_a_check_after_a_planned_change_is_left_for_the_next_step(project: Path) -> None:
    person = Person("allow_once")
    code = 'write_file("app.py", "count: int = 3\\n")\nprint(typecheck("app.py").error_count)'
    result, _ = await plan(project, person, f"```python\n{code}\n```")
    assert (project / "app.py").read_text() == "count: int = 3\n"
    assert result.messages[3].content.endswith("Not done yet, from here on: Check types in app.py.")


async def test_a_plan_that_nobody_could_be_asked_about_waits_and_writes_nothing(
    project: Path,
) -> None:
    result, events = await plan(project, Person("defer"), FIX)
    assert result.stop_reason == "paused"
    assert (project / "app.py").read_text() == 'count: int = "three"\n'
    assert not (project / "new.py").exists()
    assert result.paused is not None
    assert (result.paused.plans, result.runs) == (True, ())
    (finished,) = [event for event in events if isinstance(event, CodeFinished)]
    assert finished.result is not None
    assert finished.result.status == "pending"


async def taken_up(
    project: Path, first: TurnResult, paused: PausedRun, person: Person, mode: Mode
) -> TurnResult:
    """The next turn of a conversation whose plan waits."""
    model = ScriptedModel(["As you wish."])
    async with open_workbench(project, model, asker=person, mode=mode) as bench:
        return await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[*first.messages, Message("user", "Go on")],
            permissions=bench.permissions,
            paused=paused,
        )


@pytest.mark.parametrize("mode", ["plan", "ask"])
@pytest.mark.parametrize("outcome", ["allow_once", "reject"])
async def test_a_plan_that_waits_is_made_anew_and_asked_about_again(
    project: Path, outcome: Outcome, mode: Mode
) -> None:
    first, _ = await plan(project, Person("defer"), FIX)
    assert first.paused is not None
    (project / "app.py").write_text('count: int = "three"  # changed meanwhile\n')
    person = Person(outcome)
    stored = PausedRun.from_json(first.paused.to_json())
    result = await taken_up(project, first, stored, person, mode)
    assert {request.tool for request in person.asked} == (
        {"plan"} if mode == "plan" else {"write_file"}
    )
    written = "count: int = 3  # changed meanwhile\n"
    assert ((project / "app.py").read_text() == written) is (outcome == "allow_once")
    assert (project / "new.py").exists() is (outcome == "allow_once")
    assert (result.paused, len(result.runs), result.stop_reason) == (None, 1, "end_turn")


async def test_the_code_of_a_waiting_plan_cannot_be_changed(project: Path) -> None:
    first, _ = await plan(project, Person("defer"), FIX)
    assert first.paused is not None
    assert b"new.py" in first.paused.blob
    forged = replace(first.paused, blob=first.paused.blob.replace(b"new.py", b"old.py"))
    person = Person("allow_once")
    result = await taken_up(project, first, forged, person, "auto")
    assert "the plan was changed" in result.messages[3].content
    assert person.asked == []
    assert not (project / "old.py").exists()
    assert (project / "app.py").read_text() == 'count: int = "three"\n'


async def test_steps_of_a_plan_are_no_failures(project: Path) -> None:
    code = 'write_file("app.py", "count: int = {}\\n")\nprint(typecheck("app.py").error_count)'
    steps = [f"```python\n{code.format(number)}\n```" for number in range(5)]
    result, _ = await plan(project, Person("allow_once"), *steps)
    assert (project / "app.py").read_text() == "count: int = 4\n"
    assert (result.stop_reason, result.notice, len(result.runs)) == ("end_turn", "", 5)


GUARDED = """```python
write_file("app.py", "count: int = 3\\n")
write_file(".vscode/tasks.json", "run this")
write_file("HEAD", "ref: x")
write_file("config", "[core]")
```"""
SUCH = [".vscode/tasks.json", "HEAD", "config"]


class Careful(Person):
    """Answers as told, by the title of the question; with yes to all others."""

    def __init__(self, **answers: Outcome) -> None:
        super().__init__("allow_once")
        self.answers = {title.replace("_", " "): outcome for title, outcome in answers.items()}

    async def __call__(self, request: PermissionRequest) -> PermissionDecision:
        """Answer."""
        self.outcome = self.answers.get(request.title, "allow_once")
        return await super().__call__(request)


async def test_files_that_programs_obey_are_asked_for_one_by_one_after_the_plan(
    project: Path,
) -> None:
    person = Person("allow_once")
    await plan(project, person, GUARDED)
    assert [request.title for request in person.asked] == [
        "Change 4 files: .vscode/tasks.json, HEAD, app.py, config",
        *(f"Write {path}" for path in SUCH),
    ]
    assert person.asked[1] == PermissionRequest(
        code_id="code-2-1",
        call_id="",
        tool="write_file",
        effect="write",
        title="Write .vscode/tasks.json",
        path=".vscode/tasks.json",
        new_text="run this",
        diff="--- a/.vscode/tasks.json\n+++ b/.vscode/tasks.json\n@@ -0,0 +1 @@\n+run this\n"
        "\\ No newline at end of file\n",
        rule="write_file: .vscode/tasks.json",
    )
    assert (project / "config").read_text() == "[core]"


async def test_who_refuses_one_such_file_refuses_the_plan(project: Path) -> None:
    person = Careful(Write_HEAD="reject")
    result, _ = await plan(project, person, GUARDED)
    assert len(person.asked) == 3
    assert result.messages[3].content.endswith("nothing was written: not like this")
    assert (project / "app.py").read_text() == 'count: int = "three"\n'
    assert not (project / ".vscode").exists()


async def test_who_rejects_the_plan_is_not_asked_about_its_files(project: Path) -> None:
    person = Person("reject")
    await plan(project, person, GUARDED)
    assert len(person.asked) == 1


async def test_a_plan_waits_as_a_whole_when_nobody_can_be_asked_about_one_file(
    project: Path,
) -> None:
    result, _ = await plan(project, Careful(Write_HEAD="defer"), GUARDED)
    assert result.paused is not None
    assert result.paused.plans
    assert not (project / ".vscode").exists()


async def test_what_is_allowed_for_the_session_is_not_asked_for_in_the_next_plan(
    project: Path,
) -> None:
    person = Careful(Write_HEAD="allow_session", Write_config="allow_session")
    await plan(project, person, GUARDED, GUARDED.replace("ref: x", "ref: y"))
    assert [request.title for request in person.asked[4:]] == [
        "Change HEAD",
    ]


async def test_code_runs_after_a_run_that_waited_and_that_nobody_took_up(project: Path) -> None:
    person = Person("defer")
    model = ScriptedModel(
        ["```python\nwrite_file('b.py', 'x')\n```", "```python\nprint(1)\n```", "Done."]
    )
    async with open_workbench(project, model, asker=person, mode="ask") as bench:

        async def turn() -> TurnResult:
            return await run_turn(
                model=model,
                contract=bench.contract,
                sandbox=bench.sandbox,
                messages=[Message("user", "Go on")],
                permissions=bench.permissions,
            )

        assert (await turn()).stop_reason == "paused"
        bench.permissions.mode = "plan"
        result = await turn()
    assert (result.stop_reason, [run.stdout for run in result.runs]) == ("end_turn", ["1\n"])
