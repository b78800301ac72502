"""Permissions: a no is a no, a yes is remembered exactly as far as it was given."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent._visible import fenced, one_line, visible
from punie_agent.permissions import (
    MODES,
    FileChange,
    Mode,
    Outcome,
    PermissionDecision,
    PermissionRequest,
    Permissions,
    ProjectRules,
)
from punie_sandbox import Call
from punie_tools import LocalHost

WRITE = Call(1, "write_file", {"path": "app.py", "content": "x = 1\n"}, "write")
COMMAND = Call(2, "run_command", {"command": "pytest -q"}, "execute")
OTHER_COMMAND = Call(3, "run_command", {"command": "rm", "args": ["-r", "a b"]}, "execute")
READ = Call(4, "read_file", {"path": "app.py"}, "read")


class Answers:
    """Gives the same answer to every question and keeps the questions."""

    def __init__(self, outcome: Outcome, reason: str = "") -> None:
        self.decision = PermissionDecision(outcome, reason)
        self.asked: list[PermissionRequest] = []

    async def __call__(self, request: PermissionRequest) -> PermissionDecision:
        """Answer."""
        self.asked.append(request)
        return self.decision


def written_rules(project: Path) -> object:
    return json.loads(ProjectRules(project).path.read_text())


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [
        ("ask", {"read"}),
        ("accept-edits", {"read", "write"}),
        ("plan", {"read"}),
        ("auto", {"read", "write", "execute"}),
    ],
)
async def test_a_mode_alone_allows_these_effects(mode: Mode, allowed: set[str]) -> None:
    permissions = Permissions(mode=mode)
    decided = {call.effect: (await permissions(call)).action for call in (READ, WRITE, COMMAND)}
    assert {effect for effect, action in decided.items() if action == "allow"} == allowed


def test_every_mode_has_a_description() -> None:
    assert set(MODES) == {"ask", "accept-edits", "plan", "auto"}


async def test_a_rejection_denies_with_its_reason() -> None:
    decision = await Permissions(Answers("reject", "not now"))(WRITE)
    assert (decision.action, decision.reason) == ("deny", "not now")


async def test_nobody_to_ask_is_a_no() -> None:
    decision = await Permissions()(COMMAND)
    assert (decision.action, decision.reason) == ("deny", "nobody is here to allow it")


async def test_an_asker_that_fails_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: PermissionRequest) -> PermissionDecision:
        raise ConnectionError("the editor is gone")

    assert (await Permissions(broken)(WRITE)).action == "deny"
    assert "asking for permission failed" in caplog.text


@given(
    st.one_of(st.text(), st.none(), st.booleans()).filter(
        lambda each: not str(each).startswith("allow")
    )
)
async def test_an_answer_that_is_not_a_clear_yes_is_a_no(answer: object) -> None:
    async def odd(_request: PermissionRequest) -> PermissionDecision:
        return PermissionDecision(answer)  # ty: ignore[invalid-argument-type]

    permissions = Permissions(odd)
    assert (await permissions(WRITE)).action == "deny"
    assert permissions.session_rules == set()


async def test_once_is_asked_again() -> None:
    answers = Answers("allow_once")
    permissions = Permissions(answers)
    assert [(await permissions(WRITE)).action, (await permissions(WRITE)).action] == [
        "allow",
        "allow",
    ]
    assert len(answers.asked) == 2


async def test_for_this_session_is_not_asked_again_and_not_written_down(project: Path) -> None:
    answers = Answers("allow_session")
    permissions = Permissions(answers, project=project)
    await permissions(COMMAND)
    await permissions(COMMAND)
    assert len(answers.asked) == 1
    assert (await Permissions(project=project)(COMMAND)).action == "deny"


async def test_always_holds_for_the_project_in_a_readable_file(project: Path) -> None:
    await Permissions(Answers("allow_always"), project=project)(COMMAND)
    assert (await Permissions(project=project)(COMMAND)).action == "allow"
    assert written_rules(project) == {"project": str(project), "allow": ["run_command: pytest -q"]}


async def test_always_holds_for_no_other_project(project: Path, tmp_path: Path) -> None:
    await Permissions(Answers("allow_always"), project=project)(COMMAND)
    assert (await Permissions(project=tmp_path)(COMMAND)).action == "deny"


async def test_always_for_a_command_means_exactly_this_command(project: Path) -> None:
    await Permissions(Answers("allow_always"), project=project)(COMMAND)
    assert (await Permissions(project=project)(OTHER_COMMAND)).action == "deny"


def test_the_rules_are_not_in_the_project_where_code_could_write_them(
    project: Path, data_dir: Path
) -> None:
    assert ProjectRules(project).path.is_relative_to(data_dir)
    assert not ProjectRules(project).path.is_relative_to(project)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"allow": "write_file"}', '{"allow": [1, null]}', "\0"]
)
async def test_a_damaged_rules_file_allows_nothing(project: Path, text: str) -> None:
    rules = ProjectRules(project)
    rules.path.parent.mkdir(parents=True)
    rules.path.write_text(text)
    assert (await Permissions(project=project)(WRITE)).action == "deny"


async def test_a_write_is_asked_with_the_old_text_and_a_diff(host: LocalHost) -> None:
    answers = Answers("reject")
    await Permissions(answers, host=host)(WRITE)
    (request,) = answers.asked
    assert request == PermissionRequest(
        code_id="",
        call_id="1",
        tool="write_file",
        effect="write",
        title="Write app.py",
        arguments={"path": "app.py", "content": "x = 1\n"},
        path="app.py",
        old_text='count: int = "three"\n',
        new_text="x = 1\n",
        diff='--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-count: int = "three"\n+x = 1\n',
        rule="write_file",
    )


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ({"command": "pytest -q"}, "pytest -q"),
        ({"command": "rm", "args": ["-r", "a b"]}, "rm -r 'a b'"),
        ({"command": "ls", "cwd": "src"}, "ls  (in src)"),
    ],
)
async def test_a_command_is_asked_with_the_whole_command_line(
    arguments: dict[str, object], command: str
) -> None:
    answers = Answers("reject")
    await Permissions(answers)(Call(1, "run_command", arguments, "execute"))
    assert (answers.asked[0].command, answers.asked[0].title) == (command, f"Run {command}")


async def test_a_new_file_has_no_old_text(host: LocalHost) -> None:
    answers = Answers("reject")
    await Permissions(answers, host=host)(
        Call(1, "write_file", {"path": "new.py", "content": "a"}, "write")
    )
    assert (answers.asked[0].old_text, answers.asked[0].new_text) == (None, "a")


async def test_a_rewriting_tool_is_asked_with_the_diff_it_would_make(host: LocalHost) -> None:
    answers = Answers("reject")
    arguments = {"file_path": "app.py", "old_name": "count", "new_name": "total"}
    await Permissions(answers, host=host)(Call(1, "cst_rename", arguments, "write"))
    (request,) = answers.asked
    assert (
        request.diff
        == '--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-count: int = "three"\n+total: int = "three"\n'
    )
    assert request.changes == (
        FileChange("app.py", 'count: int = "three"\n', 'total: int = "three"\n'),
    )
    assert await host.read_text("app.py") == 'count: int = "three"\n'


async def test_a_rewrite_that_cannot_be_previewed_is_asked_without_a_diff(host: LocalHost) -> None:
    answers = Answers("reject")
    arguments = {"file_path": "nowhere.py", "old_name": "a", "new_name": "b"}
    await Permissions(answers, host=host)(Call(1, "cst_rename", arguments, "write"))
    assert (answers.asked[0].diff, answers.asked[0].changes) == (None, ())


async def test_a_rewrite_of_a_file_too_deep_to_preview_is_asked_without_a_diff(
    project: Path, host: LocalHost
) -> None:
    (project / "deep.py").write_text("old = 1\nx = " + "1 + " * 3000 + "old\n")
    answers = Answers("reject")
    arguments = {"file_path": "deep.py", "old_name": "old", "new_name": "new"}
    await Permissions(answers, host=host)(Call(1, "cst_rename", arguments, "write"))
    assert (answers.asked[0].diff, answers.asked[0].changes) == (None, ())


async def test_what_cannot_be_put_into_a_question_is_refused_with_the_reason(
    project: Path,
) -> None:
    class Broken(LocalHost):
        async def read_text(self, path: str | Path) -> str:
            raise RuntimeError(f"the editor lost {path}")

    answers = Answers("allow_once")
    decision = await Permissions(answers, host=Broken(project))(WRITE)
    assert decision.action == "deny"
    assert decision.reason == "it could not be asked about: RuntimeError: the editor lost app.py"
    assert answers.asked == []


async def test_a_yes_to_a_diff_is_no_yes_to_another_one(project: Path, host: LocalHost) -> None:
    asked: list[PermissionRequest] = []

    async def slow(request: PermissionRequest) -> PermissionDecision:
        asked.append(request)
        if len(asked) == 1:
            (project / "app.py").write_text("edited = True  # while the question was open\n")
        return PermissionDecision("allow_once" if len(asked) < 3 else "reject")

    permissions = Permissions(slow, host=host)
    assert (await permissions(WRITE)).action == "allow"
    assert [request.old_text for request in asked] == [
        'count: int = "three"\n',
        "edited = True  # while the question was open\n",
    ]


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/post-checkout",
        ".GIT/config",
        "src/../.git/config",
        "sub/.git",
        ".venv/bin/ruff",
        "env/lib/python3.11/site-packages/ty/__main__.py",
        ".vscode/tasks.json",
        ".envrc",
        "innocent/config",
        ".cursor/mcp.json",
        ".claude/settings.json",
        ".mcp.json",
    ],
)
async def test_a_file_that_programs_obey_is_asked_for_even_where_writes_are_not(
    project: Path, host: LocalHost, path: str
) -> None:
    (project / ".git").mkdir()
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").touch()
    (project / "innocent").symlink_to(".git")
    call = Call(1, "write_file", {"path": path, "content": "run this"}, "write")
    answers = Answers("reject")
    permissions = Permissions(answers, mode="accept-edits", host=host)
    permissions.session_rules.add("write_file")
    assert (await permissions(call)).action == "deny"
    assert len(answers.asked) == 1
    assert (await Permissions(answers, mode="auto", host=host)(call)).action == "allow"


async def test_always_for_such_a_file_means_exactly_this_file(
    project: Path, host: LocalHost
) -> None:
    def write(path: str) -> Call:
        return Call(1, "write_file", {"path": path, "content": "x"}, "write")

    answers = Answers("allow_session")
    permissions = Permissions(answers, mode="accept-edits", host=host, project=project)
    for path in (".git/config", "./.git/config", ".git/hooks/x", "app.py"):
        await permissions(write(path))
    assert [request.rule for request in answers.asked] == [
        "write_file: .git/config",
        "write_file: .git/hooks/x",
    ]


async def test_nothing_grants_itself_a_rule_where_the_data_folder_is_in_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNIE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    permissions = Permissions(Answers("reject"), mode="accept-edits", host=LocalHost(tmp_path))
    for path, action in (
        ("data/permissions/project.json", "deny"),
        (".bashrc", "deny"),
        (".config/zed/settings.json", "deny"),
        ("src/app.py", "allow"),
    ):
        call = Call(1, "write_file", {"path": path, "content": "x"}, "write")
        assert (await permissions(call)).action == action, path


async def test_a_persons_settings_are_guarded_too_where_the_workspace_holds_their_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "ada"))
    permissions = Permissions(Answers("reject"), mode="accept-edits", host=LocalHost(tmp_path))
    for path, action in (
        ("home/ada/.bashrc", "deny"),
        ("home/ada/src/app.py", "allow"),
        ("srv/.hidden", "allow"),
    ):
        call = Call(1, "write_file", {"path": path, "content": "x"}, "write")
        assert (await permissions(call)).action == action, path


async def test_a_project_whose_name_is_no_utf8_has_rules(tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xe9")
    await Permissions(Answers("allow_always"), project=project)(COMMAND)
    assert (await Permissions(project=project)(COMMAND)).action == "allow"


async def test_a_plug_ins_write_is_known_by_any_argument(host: LocalHost) -> None:
    permissions = Permissions(Answers("reject"), mode="accept-edits", host=host)
    for target, action in ((".git/config", "deny"), ("app.py", "allow")):
        call = Call(1, "sort_imports", {"style": "x", "target": target}, "write")
        assert (await permissions(call)).action == action


async def test_always_that_is_taken_out_of_the_file_is_asked_again(project: Path) -> None:
    answers = Answers("allow_always")
    permissions = Permissions(answers, project=project)
    await permissions(COMMAND)
    await permissions(COMMAND)
    assert len(answers.asked) == 1
    ProjectRules(project).path.write_text('{"allow": []}')
    await permissions(COMMAND)
    assert len(answers.asked) == 2


async def test_always_for_a_servers_command_covers_all_that_was_shown() -> None:
    def call(**arguments: object) -> Call:
        return Call(1, "box_shell", arguments, "execute")

    answers = Answers("allow_session")
    permissions = Permissions(answers)
    await permissions(call(command="cat", stdin="a"))
    await permissions(call(command="cat", stdin="b"))
    await permissions(call(stdin="a", command="cat"))
    assert [request.arguments["stdin"] for request in answers.asked] == ["a", "b"]


async def test_a_title_hides_neither_lines_nor_characters() -> None:
    answers = Answers("reject")
    permissions = Permissions(answers)
    commands = ["ls\n\nrm -r .", "rm -r .\x1b[2K\rls", "echo \u202egnp.exe"]
    for command in commands:
        await permissions(Call(1, "run_command", {"command": command}, "execute"))
    assert [request.title for request in answers.asked] == [
        "Run ls … (1 more line)",
        "Run rm -r .\\x1b[2K\\rls",
        "Run echo \\u202egnp.exe",
    ]
    assert [request.command for request in answers.asked] == commands


@given(st.text())
def test_whatever_is_shown_has_no_hidden_character(text: str) -> None:
    shown = visible(text)
    assert all(each.isprintable() or each in "\n\t" or unassigned(each) for each in shown)
    assert visible(shown) == shown
    assert "\n" not in one_line(text)


def unassigned(character: str) -> bool:
    """Spaces that are no plain space, private and unassigned characters have no effect on a terminal."""
    return unicodedata.category(character) in {"Zs", "Cn", "Co"}


@given(st.text(alphabet="`a\n "))
def test_no_text_ends_the_block_it_is_shown_in(text: str) -> None:
    opening, *body, closing = fenced(text, "sh").split("\n")
    assert opening == f"{closing}sh"
    assert "\n".join(body) == text
    assert all(closing not in line for line in body)
