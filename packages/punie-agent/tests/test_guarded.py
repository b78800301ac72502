"""Files that programs obey are known by what they are, however a call names them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from punie_agent.loop import run_turn
from punie_agent.models import Message
from punie_agent.permissions import PermissionDecision, PermissionRequest, Permissions
from punie_agent.testing import ScriptedModel
from punie_agent.workbench import open_workbench
from punie_sandbox import Call
from punie_tools import LocalHost, Toolbox


class Refusal:
    """Says no to every question and keeps the questions."""

    def __init__(self) -> None:
        self.asked: list[PermissionRequest] = []

    async def __call__(self, request: PermissionRequest) -> PermissionDecision:
        """Refuse."""
        self.asked.append(request)
        return PermissionDecision("reject")


async def rules_asked(*roots: Path, tool: str = "write_file", **arguments: object) -> list[str]:
    """What "always" would mean in the questions about one write, where writes are not asked about."""
    person = Refusal()
    permissions = Permissions(person, mode="accept-edits", host=LocalHost(*roots))
    await permissions(Call(1, tool, arguments, "write"))
    return [request.rule for request in person.asked]


async def written(project: Path, code: str) -> list[str]:
    """The titles of what a program that may write without asking was asked about."""
    person = Refusal()
    model = ScriptedModel([f"```python\n{code}\n```", "Done."])
    async with open_workbench(project, model, asker=person, mode="accept-edits") as bench:
        await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[Message("user", "Go")],
            permissions=bench.permissions,
        )
    return [request.title for request in person.asked]


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "a.txt", "destination": ".git/hooks/pre-commit"},
        {"paths": ["a.txt", ".git/hooks/pre-commit"]},
        {"moves": [{"from": "a.txt", "to": ".git/hooks/pre-commit"}]},
        {"texts": {".git/hooks/pre-commit": "run this"}},
    ],
    ids=["another name", "a list", "nested", "a key"],
)
async def test_a_plug_ins_write_is_known_by_whatever_it_names(
    project: Path, arguments: dict[str, object]
) -> None:
    (project / ".git").mkdir()
    rules = await rules_asked(project, tool="move_file", **arguments)
    assert rules == ["move_file: .git/hooks/pre-commit"]


async def test_always_for_a_write_of_several_such_files_names_them_all(project: Path) -> None:
    rules = await rules_asked(project, tool="move_file", path=".envrc", to=".vscode/tasks.json")
    assert rules == ["move_file: .envrc, .vscode/tasks.json"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "notes.md", "content": ".git/config"}),
        ("cst_rename", {"file_path": "app.py", "old_name": ".envrc", "new_name": "x"}),
        ("add_note", {"text": "The hook is in\n.git/hooks/pre-commit"}),
        ("add_note", {"text": "see .git/config", "tags": ["git", 3, None]}),
        ("add_note", {"text": "x" * 5000 + "/.git/config"}),
    ],
)
async def test_a_text_that_mentions_such_a_file_is_no_write_to_it(
    project: Path, tool: str, arguments: dict[str, object]
) -> None:
    assert await rules_asked(project, tool=tool, **arguments) == []


@pytest.mark.parametrize(
    "path", ["./" * 4000 + ".git/config", "a\nb/../.git/config", "x/../" * 900 + ".envrc"]
)
@pytest.mark.parametrize("tool", ["write_file", "put"])
async def test_no_spelling_is_too_long_or_too_odd_to_be_known(
    project: Path, path: str, tool: str
) -> None:
    (project / ".git").mkdir()
    rules = await rules_asked(project, tool=tool, path=path, content="run this")
    assert rules == [f"{tool}: {'.envrc' if 'envrc' in path else '.git/config'}"]


@pytest.mark.parametrize("path", [".bare/hooks/post-commit", ".bare/config", "tree/../.bare/x"])
async def test_where_a_git_file_says_the_repository_is_writes_are_asked_for(
    project: Path, path: str
) -> None:
    (project / ".git").write_text("gitdir: ./.bare\n")
    (project / ".bare").mkdir()
    assert len(await rules_asked(project, path=path, content="run this")) == 1


async def test_a_worktrees_common_repository_is_found(project: Path) -> None:
    (project / "tree").mkdir()
    (project / "tree" / ".git").write_text("gitdir: ../store/worktrees/tree\n")
    (project / "store" / "worktrees" / "tree").mkdir(parents=True)
    (project / "store" / "worktrees" / "tree" / "commondir").write_text("../..\n")
    rules = await rules_asked(
        project / "tree", project, path=str(project / "store" / "hooks" / "x"), content="run this"
    )
    assert rules == [f"write_file: {project}/store/hooks/x"]


async def test_a_git_file_that_is_no_such_file_guards_nothing(project: Path) -> None:
    (project / ".git").write_bytes(b"gitdir: \xff\0\n")
    assert await rules_asked(project, path="app.py", content="x = 1\n") == []


@pytest.mark.parametrize("path", [".vscode/tasks.json", "cfg/tasks.json", "CFG/../cfg/tasks.json"])
async def test_a_link_makes_no_difference(project: Path, path: str) -> None:
    (project / "cfg").mkdir()
    (project / ".vscode").symlink_to("cfg")
    rules = await rules_asked(project, path=path, content="run this")
    assert rules == ["write_file: cfg/tasks.json"]


async def test_hooks_that_are_kept_elsewhere_and_linked_to_are_hooks(project: Path) -> None:
    (project / ".git").mkdir()
    (project / "my-hooks").mkdir()
    (project / ".git" / "hooks").symlink_to("../my-hooks")
    rules = await rules_asked(project, path="my-hooks/pre-commit", content="run this")
    assert rules == ["write_file: my-hooks/pre-commit"]


async def test_always_in_one_folder_of_the_workspace_is_not_always_in_another(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    rules = [
        await rules_asked(project, other, path=path, content="x")
        for path in (".vscode/tasks.json", str(other / ".vscode" / "tasks.json"))
    ]
    assert rules == [
        ["write_file: .vscode/tasks.json"],
        [f"write_file: {other}/.vscode/tasks.json"],
    ]


REPOSITORY = {
    "HEAD": "ref: refs/heads/main\\n",
    "objects/x": "",
    "refs/x": "",
    "config": "[core]\\n\\tbare = false\\n\\tworktree = .\\n\\tfsmonitor = touch ran\\n",
}


@pytest.mark.parametrize("folder", ["", "sub/"])
@pytest.mark.parametrize("last", REPOSITORY)
async def test_no_repository_is_made_of_files_that_nobody_was_asked_about(
    project: Path, last: str, folder: str
) -> None:
    names = [name for name in REPOSITORY if name != last]
    for name in names:
        path = project / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(REPOSITORY[name])
    code = f'write_file("{folder}{last}", "{REPOSITORY[last]}")'
    assert await written(project, code) == [f"Write {folder}{last}"]


@pytest.mark.parametrize("name", ["hooks/post-commit", "info/attributes", "commondir"])
async def test_what_else_git_reads_beside_a_head_is_asked_for(project: Path, name: str) -> None:
    (project / "HEAD").write_text("ref: refs/heads/main\n")
    assert await written(project, f'write_file("{name}", "x")') == [f"Write {name}"]


async def test_folders_that_are_only_called_like_a_repositorys_are_written_freely(
    project: Path,
) -> None:
    names = ["config/app.toml", "hooks/use.ts", "objects/ball.py", "refs/a.bib", "info/x", "index"]
    code = "\n".join(f'write_file("{name}", "x")' for name in names)
    assert await written(project, code) == []
    assert (project / "hooks" / "use.ts").read_text() == "x"


async def test_a_workspace_that_is_a_repository_by_its_files_runs_nothing_of_its_own(
    project: Path,
) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True)

    git("init", "-q")
    (project / ".gitattributes").write_text("*.py filter=evil\n")
    git("add", "-A")
    git("commit", "-qm", "One")
    for path in [*(project / ".git").iterdir()]:
        path.rename(project / path.name)
    (project / ".git").rmdir()
    config = (
        "[core]\n\trepositoryFormatVersion = 0\n\tbare = false\n\tworktree = .\n"
        f'[filter "evil"]\n\tclean = "touch {project}/ran; cat"\n'
    )
    (project / "config").write_text(config)
    # Of the same length, so that its content must be looked at.
    (project / "app.py").write_text((project / "app.py").read_text().replace("three", "seven"))
    git("status")
    assert (project / "ran").exists()  # whoever types git there has it run
    (project / "ran").unlink()
    code = 'print(git_status(".").status, git_diff(".").status, git_log(".").status)'
    assert await written(project, code) == []
    assert not (project / "ran").exists()


async def test_repositories_worktrees_and_submodules_are_still_looked_at(
    project: Path, tmp_path: Path
) -> None:
    def git(*arguments: str, at: Path = project) -> None:
        who = (
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "-c",
            "protocol.file.allow=always",
        )
        subprocess.run(["git", *who, *arguments], cwd=at, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "One")
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    git("clone", "-q", "--bare", str(project), str(tmp_path / "all" / ".bare"))
    (tmp_path / "all" / ".git").write_text("gitdir: ./.bare\n")
    git("worktree", "add", "-q", "main2", at=tmp_path / "all")
    git("init", "-q", str(tmp_path / "above"))
    git("submodule", "add", "-q", str(project), "sub", at=tmp_path / "above")
    for folder in (
        project,
        tmp_path / "tree",
        tmp_path / "all" / "main2",
        tmp_path / "above" / "sub",
    ):
        toolbox = Toolbox(LocalHost(folder))
        assert (await toolbox.git_log(".")).commit_count == 1, folder
        assert (await toolbox.git_status(".")).status == "clean", folder
