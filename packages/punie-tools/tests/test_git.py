"""git: every file name, every kind of change, and no error that reads as a clean tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import (
    DiffFile,
    Evidence,
    GitCommit,
    GitFileStatus,
    LocalHost,
    Toolbox,
    parse_git_diff,
    parse_git_log,
    parse_git_status,
)

ZEROS = "0" * 40


def change(file: str, status: str, *, staged: bool = False) -> GitFileStatus:
    return GitFileStatus.model_validate({"file": file, "status": status, "staged": staged})


@pytest.fixture
def repository(root: Path, git) -> Path:
    """A repository with one commit and one change of every kind after it."""
    (root / "old.txt").write_text("1\n2\n3\n4\n5\n6\n")
    (root / "keep").write_text("x\n")
    (root / "bin").write_bytes(b"\0\1")
    (root / "gone").write_text("")
    (root / "new\nline").write_text("")
    git("add", "-A")
    git("commit", "-qm", "First\n\nBody with ünïcode")
    git("mv", "old.txt", "new.txt")
    (root / "keep").write_text("x\ny\n")
    git("add", "keep")
    (root / "keep").write_text("x\ny\nz\n")
    (root / "bin").write_bytes(b"\0\2")
    (root / "gone").unlink()
    Path(bytes(root).decode() + "/caf\udce9").write_text("u")
    git("rm", "-q", "--cached", "new\nline")
    return root


async def test_status_names_every_kind_of_change(toolbox: Toolbox, repository: Path) -> None:
    result = await toolbox.git_status(".")
    assert result.files == [
        change("bin", "modified"),
        change("caf\\xe9", "untracked"),
        change("gone", "deleted"),
        change("keep", "modified", staged=True),
        change("keep", "modified"),
        change("new\nline", "deleted", staged=True),
        change("new\nline", "untracked"),
        change("new.txt", "renamed", staged=True),
    ]
    assert (result.success, result.clean, result.file_count) == (True, False, 6)


async def test_status_of_one_path_is_about_that_path(toolbox: Toolbox, repository: Path) -> None:
    result = await toolbox.git_status("bin")
    assert result.files == [change("bin", "modified")]


async def test_an_unchanged_tree_is_clean(toolbox: Toolbox, root: Path, git) -> None:
    (root / "a").write_text("a")
    git("add", "a")
    git("commit", "-qm", "a")
    result = await toolbox.git_status(".")
    assert (result.status, result.clean, result.files) == ("clean", True, [])


async def test_a_conflict_is_shown(toolbox: Toolbox, root: Path, git) -> None:
    (root / "a").write_text("base\n")
    git("add", "a")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "other")
    (root / "a").write_text("other\n")
    git("commit", "-qam", "other")
    git("checkout", "-q", "main")
    (root / "a").write_text("main\n")
    git("commit", "-qam", "main")
    with pytest.raises(Exception, match="merge"):
        git("merge", "other")
    assert (await toolbox.git_status(".")).files == [change("a", "conflicted")]
    [file] = (await toolbox.git_diff(".")).files
    assert (file.file, file.status) == ("a", "conflicted")


async def test_a_diff_counts_lines(toolbox: Toolbox, repository: Path) -> None:
    unstaged = await toolbox.git_diff(".")
    assert unstaged.files == [
        DiffFile(file="bin", status="modified", additions=0, deletions=0),
        DiffFile(file="gone", status="deleted", additions=0, deletions=0),
        DiffFile(file="keep", status="modified", additions=1, deletions=0),
    ]
    assert (unstaged.file_count, unstaged.additions, unstaged.deletions) == (3, 1, 0)
    staged = await toolbox.git_diff(".", staged=True)
    assert staged.files == [
        DiffFile(file="keep", status="modified", additions=1, deletions=0),
        DiffFile(file="new\nline", status="deleted", additions=0, deletions=0),
        DiffFile(file="new.txt", status="renamed", additions=0, deletions=0),
    ]
    assert staged.run.exit_code == 1


async def test_no_change_is_an_answer(toolbox: Toolbox, root: Path, git) -> None:
    (root / "a").write_text("a")
    git("add", "a")
    git("commit", "-qm", "a")
    result = await toolbox.git_diff("a")
    assert (result.status, result.files) == ("clean", [])


async def test_a_log_holds_the_newest_first(toolbox: Toolbox, root: Path, git) -> None:
    for name in ("a", "b"):
        (root / name).write_text(name)
        git("add", name)
        git("commit", "-qm", f"Add {name}\n\nBody\nof {name}")
    head = git("rev-parse", "HEAD").decode().strip()
    result = await toolbox.git_log(".", count=1)
    assert result.commits == [
        GitCommit(
            hash=head,
            message="Add b\n\nBody\nof b",
            author="Ann Ünal",
            date="2026-01-02T03:04:05+01:00",
        )
    ]
    assert [each.message[:5] for each in (await toolbox.git_log(".")).commits] == ["Add b", "Add a"]
    assert (await toolbox.git_log("a")).commit_count == 1


async def test_a_name_in_a_log_cannot_pass_for_another_field(
    toolbox: Toolbox, root: Path, git
) -> None:
    name = "Eve\x1f1999-01-01T00:00:00Z\x1fForged"
    (root / "a").write_text("a")
    git("add", "a")
    git("commit", "-qm", "Sub\x1fject", "--author", f"{name} <eve@example.org>")
    [commit] = (await toolbox.git_log(".")).commits
    assert (commit.author, commit.date) == (name, "2026-01-02T03:04:05+01:00")
    assert commit.message == "Sub\x1fject"


async def test_a_workspace_inside_a_repository_shows_its_own_paths(root: Path, git) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "a.py").write_text("a\n")
    (root / "outside").write_text("b\n")
    git("add", "-A")
    git("commit", "-qm", "both")
    (root / "pkg" / "a.py").write_text("a\nb\n")
    toolbox = Toolbox(LocalHost(root / "pkg"))
    assert (await toolbox.git_status(".")).files == [change("a.py", "modified")]
    assert [each.file for each in (await toolbox.git_diff(".")).files] == ["a.py"]


@pytest.mark.parametrize("name", ["git_status", "git_diff", "git_log"])
async def test_no_repository_is_no_answer(toolbox: Toolbox, name: str) -> None:
    [tool] = toolbox.functions([name])
    result = await tool(".")
    assert (result.status, result.success) == ("tool_error", False)
    assert "not a git repository" in result.parse_error


async def test_a_repository_without_a_commit_answers_what_it_can(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "a").write_text("a\n")
    git("add", "a")
    assert (await toolbox.git_status(".")).files == [change("a", "added", staged=True)]
    assert (await toolbox.git_diff(".", staged=True)).additions == 1
    log = await toolbox.git_log(".")
    assert (log.status, log.parse_error) == ("nothing_checked", "the branch has no commit yet.")


async def test_a_path_that_does_not_exist_is_not_clean(toolbox: Toolbox, repository: Path) -> None:
    for result in (
        await toolbox.git_status("none"),
        await toolbox.git_diff("none"),
        await toolbox.git_log("none"),
    ):
        assert (result.status, result.success) == ("nothing_checked", False)
    assert (await toolbox.git_status("gone")).files == [change("gone", "deleted")]


@pytest.fixture
def nested(root: Path, git) -> Path:
    """A repository inside the workspace's, with a commit and a change after it."""
    (root / "a").write_text("a\n")
    git("add", "a")
    git("commit", "-qm", "a")
    nested = root / "lib" / "nested"
    git("init", "-q", str(nested))
    (nested / "src").mkdir()
    (nested / "src" / "b").write_text("b\n")
    git("-C", str(nested), "add", "-A")
    git("-C", str(nested), "commit", "-qm", "b")
    (nested / "src" / "b").write_text("changed\n")
    return nested


async def test_a_link_is_a_file_of_its_own_and_where_it_leads(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "a.py").write_text("a\n")
    (root / "link").symlink_to("folder")
    git("add", "-A")
    git("commit", "-qm", "first")
    (root / "folder" / "a.py").write_text("b\n")
    assert (await toolbox.git_status("link")).files == [change("folder/a.py", "modified")]
    (root / "link").unlink()
    (root / "link").symlink_to("nowhere")
    assert (await toolbox.git_status("link")).files == [change("link", "modified")]
    assert (await toolbox.git_diff("./link")).files == [
        DiffFile(file="link", status="modified", additions=1, deletions=1)
    ]
    git("commit", "-qam", "second")
    assert [each.message for each in (await toolbox.git_log("link")).commits] == ["second", "first"]
    assert (await toolbox.git_status("link")).clean


@pytest.mark.parametrize("name", ["git_status", "git_diff"])
@pytest.mark.parametrize("path", ["lib/nested/src", "lib/nested/src/b"])
async def test_a_path_in_another_repository_is_not_clean(
    toolbox: Toolbox, nested: Path, name: str, path: str
) -> None:
    [tool] = toolbox.functions([name])
    result = await tool(path)
    assert (result.status, result.success) == ("nothing_checked", False)
    assert f"{path} is in lib/nested, a repository of its own" in result.parse_error


async def test_another_repository_is_untracked_and_has_no_diff_here(
    toolbox: Toolbox, nested: Path
) -> None:
    [change] = (await toolbox.git_status("lib/nested")).files
    assert (change.file, change.status) == ("lib/nested/", "untracked")
    assert (await toolbox.git_diff("lib/nested")).status == "nothing_checked"
    assert (await toolbox.git_diff("lib")).status == "clean"


async def test_a_submodule_is_a_path_of_the_repository_and_what_is_in_it_is_not(
    toolbox: Toolbox, nested: Path, git
) -> None:
    git("-C", str(nested), "checkout", "-q", ".")
    git("-c", "advice.addEmbeddedRepo=false", "add", "lib/nested")
    git("commit", "-qm", "submodule")
    assert (await toolbox.git_status("lib/nested")).status == "clean"
    assert (await toolbox.git_diff("lib/nested")).status == "clean"
    (nested / "src" / "b").write_text("changed\n")
    assert (await toolbox.git_status("lib/nested/src/b")).status == "nothing_checked"
    assert (await toolbox.git_diff("lib/nested")).files[0].file == "lib/nested"


async def test_a_submodule_cannot_hide_its_changes_from_a_diff(
    toolbox: Toolbox, nested: Path, root: Path, git
) -> None:
    git("-C", str(nested), "checkout", "-q", ".")
    git("-c", "advice.addEmbeddedRepo=false", "add", "lib/nested")
    for key, value in {"path": "lib/nested", "url": "./nested", "ignore": "all"}.items():
        git("config", "-f", ".gitmodules", f"submodule.nested.{key}", value)
    git("add", ".gitmodules")
    git("commit", "-qm", "submodule")
    (nested / "src" / "b").write_text("changed\n")
    assert [each.file for each in (await toolbox.git_diff(".")).files] == ["lib/nested"]


async def test_a_file_that_was_touched_and_not_changed_has_no_diff(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "a").write_text("a")
    git("add", "a")
    git("commit", "-qm", "a")
    git("config", "diff.autoRefreshIndex", "false")
    os.utime(root / "a", (1, 1))
    result = await toolbox.git_diff(".")
    assert (result.status, result.files) == ("clean", [])


async def test_a_directory_called_git_that_is_no_repository_changes_nothing(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "pkg" / ".git").mkdir(parents=True)
    (root / "pkg" / "a").write_text("a\n")
    git("add", "pkg/a")
    git("commit", "-qm", "a")
    assert (await toolbox.git_status("pkg/a")).status == "clean"


async def test_a_count_beyond_any_number_of_git_means_all(
    toolbox: Toolbox, repository: Path
) -> None:
    assert (await toolbox.git_log(".", count=10**5000)).commit_count == 1


async def test_a_repositorys_configuration_neither_runs_programs_nor_changes_the_answer(
    toolbox: Toolbox, repository: Path, git
) -> None:
    before = [
        await toolbox.git_status("."),
        await toolbox.git_diff("."),
        await toolbox.git_log("."),
    ]
    for key, value in {
        "core.fsmonitor": "touch ran; false",
        "diff.external": "touch ran; false",
        "core.pager": "touch ran; cat",
        "status.showUntrackedFiles": "no",
        "status.renames": "false",
        "diff.noprefix": "true",
        "diff.renames": "false",
        "diff.relative": "true",
        "log.showSignature": "true",
        "log.decorate": "full",
        "color.ui": "always",
        "core.quotePath": "true",
    }.items():
        git("config", key, value)
    after = [await toolbox.git_status("."), await toolbox.git_diff("."), await toolbox.git_log(".")]
    hidden = {"run"}
    assert [a.model_dump(exclude=hidden) for a in after] == [
        b.model_dump(exclude=hidden) for b in before
    ]
    assert not (repository / "ran").exists()


async def test_a_pathspec_is_only_a_path(toolbox: Toolbox, root: Path, git) -> None:
    (root / "*.py").write_text("star")
    (root / "a.py").write_text("a")
    assert [each.file for each in (await toolbox.git_status("*.py")).files] == ["*.py"]


def test_recorded_outputs_become_whole_results(recorded) -> None:
    status = parse_git_status(recorded["git-status"].stdout, b"", 0)
    assert [(each.file, each.status, each.staged) for each in status.files] == [
        ("bin", "modified", False),
        ("caf\\xe9", "untracked", False),
        ("gone", "deleted", False),
        ("keep", "modified", True),
        ("keep", "modified", False),
        ("new\nline", "deleted", True),
        ("new\nline", "untracked", False),
        ("new.txt", "renamed", True),
        ("new.txt", "modified", False),
    ]
    diff = parse_git_diff(recorded["git-diff"].stdout, b"", 1)
    assert {each.file: (each.status, each.additions) for each in diff.files} == {
        "bin": ("modified", 0),
        "gone": ("deleted", 0),
        "keep": ("modified", 2),
        "new\nline": ("deleted", 0),
        "new.txt": ("renamed", 1),
    }
    log = parse_git_log(recorded["git-log"].stdout, b"", 0)
    assert [each.message for each in log.commits] == ["First\n\nBody with ünïcode"]


HEAD = b"# branch.oid " + ZEROS.encode() + b"\0# branch.head main\0"


@pytest.mark.parametrize(
    ("stdout", "exit_code", "status"),
    [
        (HEAD, 0, "clean"),
        (b"", 0, "unparsable"),
        (HEAD[:-1], 0, "unparsable"),
        (HEAD + b"1 zz\0", 0, "unparsable"),
        (HEAD + b"Q x\0", 0, "unparsable"),
        (HEAD + b"? \0", 0, "unparsable"),
        (HEAD, 128, "tool_error"),
        (HEAD, 1, "tool_error"),
        (HEAD, -9, "crashed"),
    ],
)
def test_each_way_status_can_end_has_its_status(stdout, exit_code, status) -> None:
    result = parse_git_status(stdout, b"fatal: x", exit_code)
    assert (result.status, result.clean) == (status, status == "clean")


_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
_kinds = {"M": "modified", "A": "added", "D": "deleted", "T": "type_changed"}


@given(st.lists(st.tuples(_names, st.sampled_from("MADT"), st.sampled_from("MD.")), unique=True))
def test_any_file_name_survives(entries: list[tuple[str, str, str]]) -> None:
    meta = f"N... 100644 100644 100644 {ZEROS} {ZEROS}"
    body = "".join(f"1 {index}{tree} {meta} {name}\0" for name, index, tree in entries)
    result = parse_git_status(HEAD + body.encode(), b"", 0)
    expected = [change(name, _kinds[index], staged=True) for name, index, _ in entries]
    expected += [change(name, _kinds[tree]) for name, _, tree in entries if tree != "."]
    assert sorted(map(repr, result.files)) == sorted(map(repr, expected))


@given(
    st.lists(
        st.tuples(_names, st.integers(0, 10**9), st.integers(0, 10**9)), unique_by=lambda e: e[0]
    )
)
def test_any_diff_is_counted(entries: list[tuple[str, int, int]]) -> None:
    raw = "".join(f":100644 100644 {'a' * 7} {'b' * 7} M\0{name}\0" for name, _, _ in entries)
    counts = "".join(f"{added}\t{removed}\t{name}\0" for name, added, removed in entries)
    result = parse_git_diff((raw + counts).encode(), b"", int(bool(entries)))
    assert {(f.file, f.additions, f.deletions) for f in result.files} == set(entries)
    assert result.additions == sum(added for _, added, _ in entries)


def test_a_log_of_another_format_is_unparsable() -> None:
    for junk in (b"abc", b"abc\0", b"zz\0Ann\x002026\0s\0b\0"):
        assert parse_git_log(junk, b"", 0, Evidence()).status == "unparsable"
