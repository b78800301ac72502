"""A repository is what a stranger wrote: looking at it runs nothing of it, and leads nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from punie_tools import LocalHost, Toolbox, ToolMissingError, UnreadableFileError
from punie_tools._files import read_below, replace_below


def program(path: Path, script: str) -> None:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def give_away(root: Path) -> None:
    """Make everything somebody else's."""
    for each in (root, *root.rglob("*")):
        os.chown(each, 65534, 65534)


@pytest.mark.parametrize("tool", ["typecheck", "ruff_check", "git_status"])
async def test_programs_that_came_with_a_clone_are_not_run(root: Path, git, tool: str) -> None:
    (root / "a.py").write_text("x = 1\n")
    for name in ("ty", "ruff", "git"):
        program(root / ".venv" / "bin" / name, f"touch '{root}/ran'; echo '[]'")
    [before] = Toolbox(LocalHost(root)).functions([tool])
    await before(".")
    assert (root / "ran").exists()  # the owner's own environment is used
    (root / "ran").unlink()
    git("add", "-f", ".venv", "a.py")
    git("commit", "-qm", "poisoned")
    host = LocalHost(root)
    [after] = Toolbox(host).functions([tool])
    assert (await after(".")).status == "clean"
    assert not (root / "ran").exists()
    assert str(root / ".venv" / "bin") not in host.environment()["PATH"]


async def test_an_environment_that_is_a_link_of_the_repository_is_not_used(root: Path, git) -> None:
    program(root / "tools" / "bin" / "ty", f"touch '{root}/ran'")
    (root / "a.py").write_text("x = 1\n")
    (root / ".venv").symlink_to("tools")
    git("add", "-A")
    git("commit", "-qm", "poisoned")
    assert (await Toolbox(LocalHost(root)).typecheck("a.py")).status == "clean"
    assert not (root / "ran").exists()


async def test_an_environment_whose_name_differs_by_case_alone_is_not_used(root: Path, git) -> None:
    program(root / ".Venv" / "bin" / "ruff", f"touch '{root}/ran'; echo '[]'")
    git("add", "-f", ".Venv")
    git("commit", "-qm", "poisoned")
    # Where the file system does not tell them apart, this is one directory.
    if not (root / ".venv").exists():
        (root / ".venv").symlink_to(".Venv")
    (root / "a.py").write_text("x = 1\n")
    assert (await Toolbox(LocalHost(root)).ruff_check("a.py")).status == "clean"
    assert not (root / "ran").exists()


async def test_a_worktree_is_looked_at_like_its_repository(root: Path, git) -> None:
    program(root / ".venv" / "bin" / "ty", f"touch '{root}/ran'")
    git("add", "-f", ".venv")
    git("commit", "-qm", "poisoned")
    git("worktree", "add", "-q", str(root / "tree"))
    tree = root / "tree"
    (tree / "a.py").write_text("x = 1\n")
    assert (await Toolbox(LocalHost(tree)).typecheck("a.py")).status == "clean"
    assert not (root / "ran").exists()


async def test_an_environment_that_git_will_not_speak_about_is_not_used(root: Path, git) -> None:
    program(root / ".venv" / "bin" / "ruff", f"touch '{root}/ran'; echo '[]'")
    (root / "a.py").write_text("x = 1\n")
    git("add", "-f", ".venv", "a.py")
    git("commit", "-qm", "poisoned")
    (root / ".git" / "HEAD").write_text("what git cannot read\n")
    toolbox = Toolbox(LocalHost(root))
    assert (await toolbox.ruff_check("a.py")).status == "clean"
    assert not (root / "ran").exists()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    git("rm", "-rq", "--cached", ".venv")
    await toolbox.ruff_check("a.py")
    assert (root / "ran").exists()  # asked again: now git says that it is the owner's


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_an_environment_of_a_strangers_repository_is_not_used(root: Path, git) -> None:
    program(root / ".venv" / "bin" / "ruff", f"touch '{root}/ran'; echo '[]'")
    (root / "a.py").write_text("x = 1\n")
    git("add", "-f", ".venv", "a.py")
    git("commit", "-qm", "poisoned")
    give_away(root)
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    await Toolbox(LocalHost(root, env=env)).ruff_check("a.py")
    assert not (root / "ran").exists()


def test_an_environment_is_not_used_where_there_is_no_git_to_ask(
    root: Path, git, monkeypatch
) -> None:
    program(root / ".venv" / "bin" / "no-such-tool", "true")
    git("add", "-f", ".venv")
    monkeypatch.setattr("sys.executable", str(root.parent / "nowhere" / "python"))
    host = LocalHost(root, env={"PATH": "/nonexistent"})
    with pytest.raises(ToolMissingError, match=r"\.venv \(not used: git does not say whether"):
        host.find_program("no-such-tool")


def test_a_program_that_came_with_a_clone_is_missing_for_a_reason(root: Path, git) -> None:
    program(root / ".venv" / "bin" / "no-such-tool", "true")
    git("add", "-f", ".venv")
    with pytest.raises(ToolMissingError, match=r"\.venv \(not used: it is under version control"):
        LocalHost(root).find_program("no-such-tool")


def test_a_relative_directory_of_path_is_no_place_for_programs(root: Path) -> None:
    host = LocalHost(root, env={"PATH": f".:bin::{os.defpath}"})
    folders = host.environment()["PATH"].split(os.pathsep)
    assert all(Path(each).is_absolute() for each in folders)


async def test_a_repositorys_hooks_and_transports_are_not_run(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "a").write_text("a\n")
    git("add", "a")
    git("commit", "-qm", "a")
    for hook in ("post-index-change", "reference-transaction"):
        program(root / ".git" / "hooks" / hook, f"touch '{root}/ran'")
    # A partial clone that lacks its one blob, and says to get it by running a program.
    git("config", "core.repositoryFormatVersion", "1")
    git("config", "extensions.partialClone", "origin")
    git("config", "remote.origin.url", "ext::touch ran")
    git("config", "remote.origin.promisor", "true")
    git("config", "protocol.ext.allow", "always")
    blob = git("rev-parse", "HEAD:a").decode().strip()
    (root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    (root / "a").write_text("b\n")
    results = [
        await toolbox.git_status("."),
        await toolbox.git_diff("."),
        await toolbox.git_log("."),
    ]
    assert not (root / "ran").exists()
    assert [each.success for each in results] == [True, False, True]


def test_a_directory_swapped_for_a_link_leads_nowhere(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    # As another process can do between the check of a path and its use.
    (root / "dir").symlink_to(outside)
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
        read_below(root, root / "dir" / "secret", 100)
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
        replace_below(root, root / "dir" / "secret", b"x")
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
        replace_below(root, root / "dir" / "new" / "file", b"x")
    assert [each.name for each in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "s"


def test_a_file_swapped_for_a_link_is_not_followed(root: Path) -> None:
    secret = root.parent / "secret"
    secret.write_text("s")
    (root / "file").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        read_below(root, root / "file", 100)
    with pytest.raises(OSError, match="not a regular file"):
        replace_below(root, root / "file", b"x")
    assert secret.read_text() == "s"


async def test_a_pipe_is_refused_and_not_waited_for(host: LocalHost, root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    with pytest.raises(UnreadableFileError, match=r"pipe\.py cannot be read: it is not a regular"):
        await host.read_text("pipe.py")
    with pytest.raises(UnreadableFileError, match=r"pipe\.py cannot be written: it is not a reg"):
        await host.write_text("pipe.py", "x")


async def test_a_file_that_is_too_long_is_refused(root: Path) -> None:
    host = LocalHost(root, output_limit=10)
    (root / "long.txt").write_text("12345678901")
    with pytest.raises(UnreadableFileError, match="it is longer than 10 bytes"):
        await host.read_text("long.txt")


async def test_a_configuration_that_reads_elsewhere_gives_no_answer(
    toolbox: Toolbox, root: Path
) -> None:
    (root.parent / "secret.toml").write_text("password = 'hunter2'\n")
    (root / "a.py").write_text("x = 1\n")
    (root / "ruff.toml").write_text("extend = '../secret.toml'\n")
    result = await toolbox.ruff_check("a.py")
    assert (result.status, result.success) == ("tool_error", False)


@pytest.mark.parametrize(
    "trick",
    ["os.mkfifo(name)", "os.symlink('/dev/zero', name)", "open(name, 'w').truncate(1 << 40)"],
)
async def test_tests_that_play_with_the_stream_are_no_success(
    toolbox: Toolbox, root: Path, trick: str
) -> None:
    (root / "test_trick.py").write_text(
        "import os\n"
        "def test(pytestconfig):\n"
        "    stream = pytestconfig.pluginmanager.get_plugin('punie-stream')\n"
        "    name = stream._file.name\n"
        "    os.unlink(name)\n"
        f"    {trick}\n"
    )
    result = await toolbox.pytest_run("test_trick.py")
    assert (result.status, result.success) == ("unparsable", False)
