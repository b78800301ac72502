"""What a trusted server could miss: the daemon's answer stays the command line's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from punie_tools import LocalHost, Toolbox, TypeCheckResult

ONE, TEXT = "def f() -> int: return 1\n", "def f() -> str: return ''\n"
USES = "from other import f\nx: int = f()\n"
PROJECT = "[project]\nname = 'p'\nversion = '1'\n"
IGNORED = "[rules]\ninvalid-assignment = 'ignore'\n"
VENV = "home = /usr/bin\nversion = 3.11\n"
PACKAGES = ".venv/lib/python3.11/site-packages"


def files(folder: Path, texts: Mapping[str, str]) -> Path:
    """Write files below a directory, and return it."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(autouse=True)
def no_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ty` would look into an active environment, and not into the workspace's."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def by(result: TypeCheckResult) -> str:
    """Return who answered: `check` for the command line, `server` for the daemon."""
    return result.run.argv[1]


async def agree(daemon: Toolbox) -> TypeCheckResult:
    """Return the daemon's answer, which must be the command line's."""
    answer = await daemon.typecheck(".")
    told = await Toolbox(daemon.host).typecheck(".")
    assert answer.model_dump(exclude={"run"}) == told.model_dump(exclude={"run"})
    return answer


async def trusted(daemon: Toolbox) -> None:
    """Have the server proven."""
    assert [by(await agree(daemon)) for _ in range(2)] == ["check", "server"]


async def test_a_server_that_read_the_old_configuration_is_not_proven(root: Path) -> None:
    files(root, {"a.py": "x = 1\n", "ty.toml": IGNORED})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        assert (await daemon.document_symbols("a.py")).success
        (root / "ty.toml").write_text("")
        assert (await agree(daemon)).status == "clean"
        (root / "a.py").write_text("x: int = 'a'\n")
        assert (await agree(daemon)).status == "findings"


async def test_questions_follow_the_configuration(root: Path) -> None:
    files(root, {"ws/a.py": USES, "lib/other.py": ONE})
    async with Toolbox(LocalHost(root / "ws"), daemon=True) as daemon:
        where = await daemon.goto_definition("a.py", 1, 1, "f")
        assert [each.file for each in where.locations] in ([], ["a.py"])
        (root / "ws" / "ty.toml").write_text("environment.extra-paths = ['../lib']\n")
        where = await daemon.goto_definition("a.py", 1, 1, "f")
        assert [each.file for each in where.locations] == [str(root / "lib" / "other.py")]
        (root / "lib" / "other.py").write_text(f"\n\n{ONE}")
        where = await daemon.goto_definition("a.py", 1, 1, "f")
        assert [each.line for each in where.locations] == [3]


async def test_a_configuration_named_by_a_variable_is_the_command_lines(root: Path) -> None:
    files(root, {"ws/a.py": "x: int = 'a'\n", "set.toml": IGNORED})
    host = LocalHost(root / "ws", env={**os.environ, "TY_CONFIG_FILE": str(root / "set.toml")})
    async with Toolbox(host, daemon=True) as daemon:
        assert [by(await agree(daemon)) for _ in range(2)] == ["check", "check"]
        (root / "set.toml").write_text("")
        assert (await agree(daemon)).status == "findings"


async def test_a_users_own_settings_can_narrow_a_project_too(root: Path) -> None:
    files(root, {"xdg/ty/ty.toml": "src.include = ['src']\n", "ws/src/a.py": "", "ws/b.py": ""})
    host = LocalHost(root / "ws", env={**os.environ, "XDG_CONFIG_HOME": str(root / "xdg")})
    async with Toolbox(host, daemon=True) as daemon:
        assert [by(await agree(daemon)) for _ in range(2)] == ["check", "check"]


def above(root: Path) -> Toolbox:
    """A module beside the workspace, in the project that both are of."""
    files(root, {"pyproject.toml": PROJECT, "other.py": ONE, "ws/a.py": USES})
    return Toolbox(LocalHost(root / "ws"), daemon=True)


def by_extra_paths(root: Path) -> Toolbox:
    """A module in a directory that the configuration names."""
    files(root, {"lib/other.py": ONE, "ws/a.py": USES})
    files(root, {"ws/ty.toml": "environment.extra-paths = ['../lib']\n"})
    return Toolbox(LocalHost(root / "ws"), daemon=True)


def by_variable(root: Path) -> Toolbox:
    """A module in a directory that PYTHONPATH names."""
    files(root, {"lib/other.py": ONE, "ws/a.py": USES})
    env = {**os.environ, "PYTHONPATH": str(root / "lib")}
    return Toolbox(LocalHost(root / "ws", env=env), daemon=True)


def by_editable_install(root: Path) -> Toolbox:
    """A module that the environment links to."""
    files(root, {"lib/other.py": ONE, "ws/a.py": USES, "ws/.venv/pyvenv.cfg": VENV})
    files(root / "ws" / PACKAGES, {"other.pth": f"{root / 'lib'}\n"})
    return Toolbox(LocalHost(root / "ws"), daemon=True)


@pytest.mark.parametrize("kind", [above, by_extra_paths, by_variable, by_editable_install])
async def test_edits_beside_the_workspace_are_noticed(
    root: Path, kind: Callable[[Path], Toolbox]
) -> None:
    toolbox = kind(root)
    module = (root if kind is above else root / "lib") / "other.py"
    async with toolbox as daemon:
        await trusted(daemon)
        module.write_text(TEXT)
        edited = await agree(daemon)
        assert (by(edited), edited.error_count) == ("server", 1)
        module.write_text(f"{ONE}y: int = ''\n")
        assert (await agree(daemon)).status == "clean"  # what is wrong there is not asked about
        module.unlink()
        assert [each.code for each in (await agree(daemon)).errors] == ["import-not-found"]


async def test_an_install_that_links_elsewhere_is_noticed(root: Path) -> None:
    async with by_editable_install(root) as daemon:
        await trusted(daemon)
        (root / "ws" / PACKAGES / "other.pth").write_text(f"{root / 'new'}\n")
        assert [each.code for each in (await agree(daemon)).errors] == ["import-not-found"]
        await agree(daemon)
        files(root, {"new/other.py": ONE})
        assert (await agree(daemon)).status == "clean"


async def test_an_environment_made_above_the_workspace_is_noticed(root: Path) -> None:
    files(root, {"pyproject.toml": PROJECT, "ws/a.py": "import zzz\n"})
    async with Toolbox(LocalHost(root / "ws"), daemon=True) as daemon:
        await trusted(daemon)
        files(root, {".venv/pyvenv.cfg": VENV, f"{PACKAGES}/zzz.py": ""})
        assert (await agree(daemon)).status == "clean"


async def test_every_kind_of_source_is_watched(root: Path) -> None:
    files(root, {"a.py": "x = 1\n", "b.pyw": "x = 1\n"})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        (root / "b.pyw").write_text("x: int = ''\n")
        assert (await agree(daemon)).status == "findings"


async def test_directories_without_sources_come_and_go(root: Path) -> None:
    files(root, {"a.py": "import foo\n", "foo/data.txt": ""})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        shutil.rmtree(root / "foo")
        assert (await agree(daemon)).status == "findings"
        (root / "foo").mkdir()
        assert (await agree(daemon)).status == "clean"


async def test_a_new_directory_in_which_modules_are_looked_for_is_noticed(root: Path) -> None:
    files(root, {"a.py": "import foo\n"})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        files(root, {"src/foo.py": ""})
        assert (await agree(daemon)).status == "clean"


def notebook(text: str) -> str:
    """Return a notebook with one cell."""
    cell = {"cell_type": "code", "source": [text], "metadata": {}, "outputs": []}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


async def test_notebooks_are_never_left_to_the_server(root: Path) -> None:
    files(root, {"a.py": "x = 1\n"})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        files(root, {"a.ipynb": notebook("import a\ny: int = a.x\n")})
        assert [by(await agree(daemon)) for _ in range(2)] == ["check", "check"]
        files(root, {"a.py": "x = ''\n"})
        assert (await agree(daemon)).status == "findings"


@pytest.mark.parametrize("name", ["a.py", "sp ace é.pyi", "a.pyw"])
async def test_an_edit_whose_time_was_set_back_is_noticed(root: Path, name: str) -> None:
    path = files(root, {name: "x: int = 10\n", "b.py": ""}) / name
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        before = path.stat()
        for text, findings in (("x: int = ''\n", 1), ("x: int = 20\n", 0)):
            path.write_text(text)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert path.stat().st_size == before.st_size
            assert (await agree(daemon)).error_count == findings


async def test_a_pipe_named_like_a_source_holds_nobody_up(root: Path) -> None:
    files(root, {"a.py": "x = 1\n"})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        os.mkfifo(root / "pipe.py")
        (root / "link.py").symlink_to("pipe.py")
        assert (await asyncio.wait_for(agree(daemon), 60)).status == "clean"


async def test_a_program_that_cannot_be_run_is_an_error_of_the_tool(root: Path) -> None:
    program = files(root, {"a.py": "x = 1\n", ".venv/bin/ty": "\x7fELFgarbage"}) / ".venv/bin/ty"
    program.chmod(0o755)
    for keeps_running in (False, True):
        async with Toolbox(LocalHost(root), daemon=keeps_running) as toolbox:
            checked = await toolbox.typecheck(".")
            asked = await toolbox.hover("a.py", 1, 1, "x")
            for result in (checked, asked):
                assert result.status == "tool_error"
                assert "ty could not be started" in (result.parse_error or "")


async def test_another_program_is_another_server(root: Path) -> None:
    files(root, {"a.py": "x = 1\n"})
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        await trusted(daemon)
        program = files(root, {".venv/bin/ty": "#!/bin/sh\nexit 2\n"}) / ".venv/bin/ty"
        program.chmod(0o755)
        assert (await daemon.typecheck(".")).status == "tool_error"


def test_a_toolbox_outlives_an_event_loop_and_its_server_does_not(root: Path) -> None:
    processes = []

    class Watched(LocalHost):
        """A host that remembers the servers it started."""

        async def spawn(self, *args, **kwargs):
            """Start and remember."""
            processes.append(await super().spawn(*args, **kwargs))
            return processes[-1]

    files(root, {"a.py": "x: int = ''\n"})
    toolbox = Toolbox(Watched(root), daemon=True)

    async def twice() -> list[str]:
        assert (await toolbox.document_symbols("a.py")).success
        return [by(await toolbox.typecheck(".")) for _ in range(2)]

    for number in (1, 2):
        assert asyncio.run(twice()) == ["check", "server"]
        assert len(processes) == number
        assert processes[-1].returncode is not None
    asyncio.run(toolbox.aclose())
    asyncio.run(toolbox.aclose())
