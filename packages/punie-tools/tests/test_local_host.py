"""LocalHost: files, and children that never outlive their run."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from punie_tools import (
    Completed,
    LocalHost,
    MissingFileError,
    NotTextError,
    OutsideRootsError,
    ToolMissingError,
    UnreadableFileError,
)

PYTHON = sys.executable


async def let_go(pipe: Path) -> None:
    """Return when the last process that had a named pipe open for writing is gone.

    A script holds it with `3>held`. Unlike a look at the process table this cannot be too early, and unlike a
    thread that reads the pipe it can be given up.
    """
    gone = asyncio.Event()
    loop, end = asyncio.get_running_loop(), os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    loop.add_reader(end, lambda: os.read(end, 100) or gone.set())
    try:
        await gone.wait()
    finally:
        loop.remove_reader(end)
        os.close(end)


@pytest.fixture
def ended(root: Path):
    """Something to await that comes back when the last process holding `held` open is gone."""
    os.mkfifo(root / "held")
    return lambda: asyncio.create_task(let_go(root / "held"))


async def test_a_command_leaves_its_streams_apart_and_its_exit_code(host: LocalHost) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = await host.run([PYTHON, "-c", code])
    assert done == Completed(
        exit_code=3,
        stdout=b"out\n",
        stderr=b"err\n",
        argv=(PYTHON, "-c", code),
        duration=done.duration,
    )


async def test_a_stuck_command_is_ended_with_its_whole_group(host: LocalHost, ended) -> None:
    gone = ended()
    done = await host.run(["/bin/sh", "-c", "sleep 1000 3>held & sleep 1000"], timeout=0.5)
    assert (done.timed_out, done.exit_code) == (True, -15)
    await asyncio.wait_for(gone, 10)


async def test_a_command_that_ignores_the_polite_signal_is_killed(host: LocalHost) -> None:
    done = await host.run(["/bin/sh", "-c", "trap '' TERM; while :; do :; done"], timeout=0.2)
    assert (done.timed_out, done.exit_code) == (True, -9)


async def test_what_a_command_leaves_running_ends_with_it(host: LocalHost, ended) -> None:
    gone = ended()
    done = await host.run(["/bin/sh", "-c", "sleep 1000 3>held & echo done; : 3>held"])
    assert (done.exit_code, done.stdout) == (0, b"done\n")
    await asyncio.wait_for(gone, 10)


async def test_cancelling_a_run_ends_the_command(host: LocalHost, root: Path, ended) -> None:
    os.mkfifo(root / "started")
    gone = ended()
    run = asyncio.create_task(host.run(["/bin/sh", "-c", "exec 3>held; : > started; sleep 1000"]))
    await asyncio.wait_for(let_go(root / "started"), 60)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.wait_for(gone, 10)


async def test_cancelling_a_run_twice_ends_a_command_that_ignores_the_polite_signal(
    host: LocalHost, root: Path, ended
) -> None:
    for each in ("started", "asked"):
        os.mkfifo(root / each)
    gone = ended()
    script = "exec 3>held; trap ': > asked' TERM; : > started; while :; do sleep 1000; done"
    run = asyncio.create_task(host.run(["/bin/sh", "-c", script]))
    await asyncio.wait_for(let_go(root / "started"), 60)
    run.cancel()
    asked = asyncio.create_task(let_go(root / "asked"))
    await asyncio.wait({asked, run}, return_when=asyncio.FIRST_COMPLETED)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.wait_for(gone, 10)


async def test_a_killed_child_shows_its_signal(host: LocalHost) -> None:
    done = await host.run(["/bin/sh", "-c", "kill -KILL $$"])
    assert done.exit_code == -9


async def test_a_gigabyte_of_output_is_read_away_and_reported_as_cut(root: Path) -> None:
    host = LocalHost(root, output_limit=1000)
    code = "import os\nfor _ in range(1024): os.write(1, b'x' * 1048576)"
    done = await host.run([PYTHON, "-c", code])
    assert (done.exit_code, done.cut, done.stdout) == (0, True, b"x" * 1000)


async def test_a_child_has_no_stdin_and_no_terminal(host: LocalHost) -> None:
    code = (
        "import sys, os; print(sys.stdin.read() == '', os.isatty(1), os.getpgid(0) == os.getpid())"
    )
    done = await host.run([PYTHON, "-c", code])
    assert done.stdout == b"True False True\n"


async def test_what_changes_a_tools_output_is_not_inherited(root: Path) -> None:
    env = {"PATH": os.environ["PATH"], "CI_PROJECT_DIR": "/x", "GIT_DIR": "/y", "KEPT": "1"}
    host = LocalHost(root, env=env)
    seen = host.environment({"NEW": "2", "KEPT": None})
    assert {"CI_PROJECT_DIR", "GIT_DIR", "KEPT"}.isdisjoint(seen)
    assert (seen["NEW"], seen["NO_COLOR"]) == ("2", "1")


async def test_tracing_and_pathspec_variables_do_not_reach_git(root: Path) -> None:
    names = ["GIT_TRACE", "GIT_TRACE2_EVENT", "GIT_ICASE_PATHSPECS", "GIT_COMMON_DIR", "TY_LOG"]
    kept = {"TY_CONFIG_FILE": "/t", "GIT_CONFIG_GLOBAL": "/g", "GIT_SSH_COMMAND": "ssh"}
    seen = LocalHost(root, env={**dict.fromkeys(names, "1"), **kept}).environment()
    assert not set(names) & seen.keys()
    assert kept.items() <= seen.items()


async def test_the_workspaces_own_program_wins_over_path(host: LocalHost, root: Path) -> None:
    program = root / ".venv" / "bin" / "git"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert (await host.run(["git"])).stdout == b"mine\n"


async def test_a_program_beside_the_running_python_is_found_off_path(root: Path) -> None:
    host = LocalHost(root, env={"PATH": "/nonexistent"})
    assert host.find_program(Path(PYTHON).name) == str(Path(PYTHON).parent / Path(PYTHON).name)


async def test_a_missing_program_is_named(host: LocalHost, root: Path) -> None:
    (root / "notes.txt").write_text("no program")
    with pytest.raises(ToolMissingError, match="no-such-tool is not installed"):
        await host.run(["no-such-tool"])
    with pytest.raises(FileNotFoundError, match=r"\./notes\.txt is not a program"):
        await host.run(["./notes.txt"])
    with pytest.raises(ToolMissingError, match="could not be started"):
        await host.run([PYTHON, "a\0b"])
    broken = root / "broken"
    broken.write_bytes(b"\x7fELF and no more")
    broken.chmod(0o755)
    with pytest.raises(ToolMissingError, match="could not be started"):
        await host.spawn(["./broken"])


async def test_a_command_cannot_start_outside_the_workspace(host: LocalHost) -> None:
    with pytest.raises(OutsideRootsError):
        await host.run(["pwd"], cwd="..")
    with pytest.raises(MissingFileError, match="no directory nowhere"):
        await host.run(["pwd"], cwd="nowhere")


async def test_a_workspace_that_has_gone_is_named(host: LocalHost, root: Path) -> None:
    shutil.rmtree(root)
    with pytest.raises(MissingFileError, match=rf"the workspace {root} is no directory any more"):
        await host.run(["pwd"])


async def test_text_comes_back_as_it_was_written(host: LocalHost, root: Path) -> None:
    text = "é😀\r\nline\n\ttab \ufeff"
    await host.write_text("new/dir/file.txt", text)
    assert await host.read_text("new/dir/file.txt") == text
    assert sorted(path.name for path in (root / "new" / "dir").iterdir()) == ["file.txt"]


async def test_writing_keeps_a_files_permissions(host: LocalHost, root: Path) -> None:
    (root / "run.sh").write_text("old")
    (root / "run.sh").chmod(0o750)
    await host.write_text("run.sh", "new")
    assert stat.S_IMODE((root / "run.sh").stat().st_mode) == 0o750


async def test_what_cannot_be_read_says_why(host: LocalHost, root: Path) -> None:
    (root / "latin.txt").write_bytes(b"caf\xe9")
    (root / "image.bin").write_bytes(b"GIF\0")
    (root / "dir").mkdir()
    with pytest.raises(NotTextError, match=r"latin\.txt is not UTF-8 text \(byte 3 is 0xe9\)"):
        await host.read_text("latin.txt")
    with pytest.raises(ValueError, match=r"image\.bin is a binary file"):
        await host.read_text("image.bin")
    with pytest.raises(UnreadableFileError, match="dir is a directory"):
        await host.read_text("dir")
    with pytest.raises(FileNotFoundError, match="there is no file none"):
        await host.read_text("none")
    with pytest.raises(MissingFileError, match=r"there is no file latin\.txt/x"):
        await host.read_text("latin.txt/x")
    with pytest.raises(UnreadableFileError, match="File name too long"):
        await host.read_text("a" * 9999)


async def test_what_cannot_be_written_says_why(host: LocalHost, root: Path) -> None:
    (root / "dir").mkdir()
    with pytest.raises(UnreadableFileError, match="dir cannot be written: it is a directory"):
        await host.write_text("dir", "x")
    with pytest.raises(NotTextError, match="not valid Unicode"):
        await host.write_text("f", "\ud800")
    with pytest.raises(PermissionError):
        await host.write_text("../f", "x")
    assert not (root / "f").exists()
    with pytest.raises(UnreadableFileError, match="File name too long"):
        await host.write_text("a" * 9999, "x")


def test_a_root_must_be_a_directory(root: Path) -> None:
    with pytest.raises(MissingFileError, match="is not a directory"):
        LocalHost(root / "none")
