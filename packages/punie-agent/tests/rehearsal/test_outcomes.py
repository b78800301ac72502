"""What a program would lead to is found on a copy, with the real sandbox and the real type checker."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from punie_agent.contract import Contract, standard_functions
from punie_agent.rehearsal import Outcome, can_be_tried, lost_names, lost_uses, outcome_of
from punie_agent.rehearsal import _scratch as scratch
from punie_tools import Completed, LocalHost, Toolbox, ToolMissingError

TOOLS = ["typecheck", "ruff_check", "read_file", "write_file", "run_command"]
CHECKED = 'result = typecheck("app.py")\nprint(result.status)\n'
GOOD = Outcome(failed=False, findings=0, idle=False)


def edit(old: str, new: str) -> str:
    """Return a program that replaces a text in app.py and checks the file."""
    return (
        'source = read_file("app.py")\n'
        f"source = source.replace({old!r}, {new!r})\n"
        f'write_file("app.py", source)\n{CHECKED}'
    )


def contents(folder: Path) -> dict[Path, bytes]:
    """Return what is in the files of a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text("def count(name: str) -> str:\n    return len(name)\n")
    return folder


@pytest.fixture
def contract(host: LocalHost) -> Contract:
    return Contract(standard_functions(Toolbox(host), TOOLS))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (edit("-> str", "-> int"), GOOD),
        (edit("-> str", "-> bytes"), Outcome(failed=False, findings=1, idle=False)),
        (edit("-> str", "-> str"), Outcome(failed=False, findings=1, idle=True)),
        (edit("len(name)", "len(name"), Outcome(failed=True, findings=2, idle=False)),
        (
            edit("return len(name)", "return len(name)  # type: ignore"),
            Outcome(failed=True, findings=0, idle=False),
        ),
        ('write_file("app.py", "x = 1\\n")\n' + CHECKED, Outcome(True, 0, False)),
        (
            'write_file("app.py", read_file("none.py"))\n' + CHECKED,
            Outcome(failed=True, findings=0, idle=True),
        ),
        ('write_file("app.py", 1)\n' + CHECKED, Outcome(failed=True, findings=0, idle=True)),
        (
            'write_file("new.py", "import os\\n")\nprint(ruff_check("new.py").status)\n',
            Outcome(failed=False, findings=1, idle=False),
        ),
        (CHECKED + edit("-> str", "-> int"), GOOD),
        (
            edit("-> str", "-> bytes") + 'print(ruff_check("app.py").status)\n',
            Outcome(failed=False, findings=1, idle=False),
        ),
        (edit("-> str", "-> int") + CHECKED + 'read_file("none.py")', Outcome(True, 0, False)),
    ],
    ids=[
        *("right", "wrong", "idle", "torn", "silenced", "emptied", "error", "refused", "linted"),
        *("checked before, too", "checked twice", "broken off"),
    ],
)
async def test_an_edit_is_judged_by_its_check_and_by_what_it_took_away(
    contract: Contract, host: LocalHost, project: Path, code: str, outcome: Outcome
) -> None:
    before = contents(project)
    assert await outcome_of(code, contract, host, LocalHost) == outcome
    assert contents(project) == before


TWO = "def count(name: str) -> str:\n    return len(name)\n\n\nsize: int = 'none'\n"


@pytest.mark.parametrize(
    ("code", "outcome", "before"),
    [
        (edit("-> str", "-> int"), Outcome(failed=False, findings=1, idle=False), 2),
        (edit("-> str", "-> bytes"), Outcome(failed=False, findings=2, idle=False), 2),
        (edit("-> str", "-> str"), Outcome(failed=False, findings=2, idle=True), 0),
        (
            'write_file("new.py", "x: int = []\\n")\nprint(typecheck(".").error_count)\n',
            Outcome(failed=False, findings=3, idle=False),
            0,
        ),
    ],
    ids=["one of two", "none of two", "idle", "new file"],
)
async def test_what_the_check_found_before_is_known_where_it_finds_something_after(
    contract: Contract, host: LocalHost, project: Path, code: str, outcome: Outcome, before: int
) -> None:
    (project / "app.py").write_text(TWO)
    found = await outcome_of(code, contract, host, LocalHost)
    assert found is not None
    assert (found, found.before, found.good) == (outcome, before, code == edit("-> str", "-> int"))
    assert (project / "app.py").read_text() == TWO


async def test_a_check_before_the_last_write_tells_nothing_about_it(
    contract: Contract, host: LocalHost
) -> None:
    edited = edit("-> str", "-> bytes").removesuffix(CHECKED)
    assert await outcome_of(CHECKED + edited, contract, host, LocalHost) is None
    again = edit("-> str", "-> int") + 'write_file("new.py", source)\n'
    assert await outcome_of(again, contract, host, LocalHost) is None


async def test_a_program_that_breaks_off_before_its_check_failed_and_nothing_more_is_known(
    contract: Contract, host: LocalHost
) -> None:
    code = f'{CHECKED}write_file("app.py", "x = 1\\n")\nprint(1 / 0)\n{CHECKED}'
    assert await outcome_of(code, contract, host, LocalHost) == Outcome(True, 0, False)


class Slow(ThreadPoolExecutor):
    """Threads of which the second, which copies, begins when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.copying = asyncio.Event()
        self.may_begin = threading.Event()
        self._jobs = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take a job."""
        self._jobs += 1
        if self._jobs != 2:
            return super().submit(fn, *args, **kwargs)
        self.copying.set()
        return super().submit(self._later, fn, *args, **kwargs)

    def _later(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.may_begin.wait()
        return fn(*args, **kwargs)


async def test_what_is_stopped_while_the_workspace_is_copied_ends_with_the_copy_and_leaves_nothing(
    contract: Contract, host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    threads = Slow()
    asyncio.get_running_loop().set_default_executor(threads)
    trial = asyncio.create_task(outcome_of(edit("-> str", "-> int"), contract, host, LocalHost))
    await threads.copying.wait()
    for _ in range(3):  # a person may press the key more than once
        trial.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not trial.done()
    threads.may_begin.set()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert list(copies.iterdir()) == []


class Torn(LocalHost):
    """A host whose commands, when they are stopped, fail at that, too."""

    def __init__(self, *roots: Path) -> None:
        super().__init__(*roots)
        self.running = asyncio.Event()

    async def run(self, argv: Sequence[str], **settings: object) -> Completed:
        """Run for ever, and fail at the end."""
        try:
            self.running.set()
            return await asyncio.Future()
        finally:
            raise OSError("the disk is gone")


async def test_what_fails_while_it_is_stopped_is_stopped(
    contract: Contract, host: LocalHost
) -> None:
    made: asyncio.Future[Torn] = asyncio.get_running_loop().create_future()

    def torn(folder: Path) -> Torn:
        made.set_result(Torn(folder))
        return made.result()

    trial = asyncio.create_task(outcome_of(edit("-> str", "-> int"), contract, host, torn))
    await (await made).running.wait()
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial


DEEP = "TOTAL = " + " + ".join(["1"] * 1200) + "\n"


@pytest.mark.parametrize("length", [1_200, 20_000])
async def test_a_program_of_any_depth_is_judged_or_left_alone(
    contract: Contract, host: LocalHost, project: Path, length: int
) -> None:
    (project / "table.py").write_text(f"old = 1\nTOTAL = {' + '.join(['1'] * length)}\n")
    code = (
        'source = read_file("table.py")\n'
        'write_file("table.py", source.replace("old", "new"))\n'
        'print(ruff_check("table.py").status)\n'
    )
    found = await outcome_of(code, contract, host, LocalHost)
    assert found is None or not found.failed


def test_names_are_found_at_any_depth() -> None:
    assert lost_names(f"def f(a):\n    return 1\n{DEEP}", DEEP) == ["f", "f.a"]
    assert lost_names(DEEP, f"{DEEP}def f(a):\n    return 1\n") == []


def test_what_runs_finds_less_and_does_something_is_better() -> None:
    ranked = [
        GOOD,
        Outcome(failed=False, findings=0, idle=True),
        Outcome(failed=False, findings=2, idle=False),
        Outcome(failed=True, findings=0, idle=False),
    ]
    assert all(better < worse for better, worse in pairwise(ranked))
    assert [each.good for each in ranked] == [True, False, False, False]


@pytest.mark.parametrize(
    ("code", "earlier", "tried"),
    [
        (edit("a", "b"), [], True),
        (edit("a", "b"), ["source = read_file('app.py')"], True),
        (CHECKED, [], False),
        ('write_file("a.py", "x = 1")', [], False),
        ('write_file("a.py", "x")\ntypecheck("a.py")\nrun_command("rm -r .")', [], False),
        ('run = run_command\nwrite_file("a.py", "x")\ntypecheck("a.py")', [], False),
        ('write_file("a.py", text)\ntypecheck("a.py")', ["text = read_file('b.py')"], False),
        ('write_file("a.py", ', [], False),
    ],
    ids=["edit", "own name", "no write", "no check", "command", "alias", "variable", "no Python"],
)
def test_only_a_program_that_writes_and_checks_and_no_more_is_tried(
    code: str, earlier: list[str], tried: bool
) -> None:
    assert can_be_tried(code, TOOLS, earlier) is tried


class Editor(LocalHost):
    """A host that holds a text which is not saved, as an editor does."""

    async def read_text(self, path: str | Path) -> str:
        """Give the text on the screen for app.py."""
        assert Path(path).is_relative_to(self.roots[0])
        return "def count(name: str) -> list:\n    return len(name)\n"


async def test_what_an_editor_has_not_saved_is_read(contract: Contract, project: Path) -> None:
    code = edit("-> list", "-> int")
    assert await outcome_of(code, contract, Editor(project), LocalHost) == GOOD
    assert await outcome_of(code, contract, LocalHost(project), LocalHost) == Outcome(
        failed=False, findings=1, idle=True
    )


async def test_a_link_that_leads_out_is_not_followed(
    contract: Contract, host: LocalHost, project: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("x = 1\n")
    (project / "link.py").symlink_to(outside)
    code = 'print(read_file("link.py"))\nwrite_file("link.py", "x = 2\\n")\n' + CHECKED
    found = await outcome_of(code, contract, host, LocalHost)
    assert found is not None
    assert found.failed
    assert outside.read_text() == "x = 1\n"


async def test_the_environment_is_there_for_the_checker_and_cannot_be_written(
    contract: Contract, host: LocalHost, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # ty would look there and not in the project
    packages = project / ".venv" / "lib" / "python3.13" / "site-packages"
    packages.mkdir(parents=True)
    (project / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.13.0\n")
    (packages / "dep.py").write_text("NUMBER: int = 1\n")
    code = 'write_file("app.py", "from dep import NUMBER\\n")\n' + CHECKED
    kept = 'def count(name: str) -> int:\\n    return NUMBER + len(name)\\n"'
    code = code.replace('NUMBER\\n"', f"NUMBER\\n{kept}")
    assert await outcome_of(code, contract, host, LocalHost) == GOOD
    bad = 'write_file(".venv/lib/python3.13/site-packages/dep.py", "")\n' + CHECKED
    found = await outcome_of(bad, contract, host, LocalHost)
    assert found is not None
    assert found.failed
    assert (packages / "dep.py").read_text() == "NUMBER: int = 1\n"


async def test_a_checker_that_the_workspace_brings_along_is_not_run(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    programs = project / ".venv" / "bin"
    programs.mkdir(parents=True)
    (project / ".venv" / "lib" / "python3.13" / "site-packages").mkdir(parents=True)
    (project / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (programs / "ty").write_text(f"#!/bin/sh\ntouch {project}/was-run\n")
    (programs / "ty").chmod(0o755)
    assert await outcome_of(edit("-> str", "-> int"), contract, host, LocalHost) == GOOD
    assert not (project / "was-run").exists()


async def test_a_workspace_that_is_too_large_is_not_copied(
    contract: Contract, host: LocalHost, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "LARGEST_COPY", 100)
    assert await outcome_of(edit("-> str", "-> int"), contract, host, LocalHost) is not None
    (project / "data.txt").write_text("x" * 100)
    assert await outcome_of(edit("-> str", "-> int"), contract, host, LocalHost) is None


class Bare(LocalHost):
    """A host of a machine without any tools."""

    async def run(self, argv: Sequence[str], **settings: object) -> Completed:
        """Fail as where nothing is installed."""
        raise ToolMissingError(f"{argv[0]} is not installed")


async def test_nothing_is_told_where_the_checker_is_missing(
    contract: Contract, host: LocalHost
) -> None:
    assert await outcome_of(edit("-> str", "-> int"), contract, host, Bare) is None


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        ("def f(a: int, b: int) -> int:\n    return a\n", []),
        ("def f(a: int) -> int:\n    return a\n", ["f.b"]),
        ("x = 1\n", ["f", "f.a", "f.b"]),
        ("def f(a, b) -> int:\n    return (\n", ["valid Python"]),
        (
            "from typing import Any\ndef f(a: Any, b: int) -> int:\n    return a\n",
            ["honest types (Any or cast was added)"],
        ),
        (
            "def f(a: int, b: int) -> int:\n    return a  # ty: ignore\n",
            ["honest types (a check was switched off)"],
        ),
    ],
)
def test_what_an_edit_took_away_is_named(after: str, lost: list[str]) -> None:
    assert lost_names("def f(a, b) -> int:\n    return a\n", after) == lost


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        ("    names = {0: a}\n    return names.get(0, '') or a\n", []),
        ("    names = {0: a}\n    return names[0]\n", []),
        ("    return a\n", []),
        ("    names = {0: a}\n    return a\n", ["f.names"]),
        ("    names = {0: ''}\n    return names[0]\n", ["f.a"]),
        ("    names = {}\n    def g() -> str:\n        return names[a]\n    return g()\n", []),
    ],
)
def test_a_name_that_is_there_and_used_no_more_is_lost(after: str, lost: list[str]) -> None:
    head = "def f(a: str, b: int) -> str:\n"
    before = f"{head}    names = {{0: a}}\n    return names.get(0)\n"
    assert lost_uses(before, head + after) == lost


async def test_a_repair_that_drops_what_a_function_was_given_has_failed(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    dropped = edit("return len(name)", "return ''")
    assert await outcome_of(dropped, contract, host, LocalHost) == Outcome(True, 0, False)
    (project / "app.py").write_text("def count(name: str) -> str:\n    return len(name) * '-'\n")
    dropped = edit("return len(name) * '-'", "return ''")
    assert await outcome_of(dropped, contract, host, LocalHost) == GOOD  # nothing was wrong there
