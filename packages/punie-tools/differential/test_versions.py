"""The same small workspace under many versions of each tool: the same answers.

Sampled: of ty each release that changed a format or an exit code, and some between; of ruff and
pytest the first release of each minor version; of all three the newest one the index has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from punie_tools import LocalHost, Toolbox

LATEST = "latest"
TY = [
    *("0.0.1a21", "0.0.1a27", "0.0.1a35", "0.0.2", "0.0.13", "0.0.14", "0.0.25", "0.0.40"),
    *("0.0.51", "0.0.52", "0.0.70", "0.0.91", "0.0.92", "0.0.105", LATEST),
]
RUFF = [*(f"0.{minor}.0" for minor in range(4, 18)), LATEST]
PYTEST = [
    *("7.0.0", "7.1.0", "7.2.0", "7.3.0", "7.4.4", "8.0.0", "8.1.1", "8.2.0", "8.3.0", "8.4.2"),
    *("9.0.0", "9.1.0", "9.2.0", LATEST),
]


def pinned(tool: str, version: str) -> str:
    """Return the requirement of a version."""
    return tool if version == LATEST else f"{tool}=={version}"


def is_version(found: str | None, wanted: str) -> bool:
    """Return whether the tool says that it is the wanted version."""
    return found is not None and (wanted == LATEST or found.startswith(wanted))


OUTCOMES = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2

@pytest.fixture
def torn():
    yield
    raise RuntimeError("torn")

def test_both(torn): assert False

@pytest.mark.skip(reason="no")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_expected(): assert 0

@pytest.mark.xfail(strict=True)
def test_strict(): pass
"""


@pytest.mark.parametrize("version", TY)
async def test_ty(environment: Callable[..., Path], version: str) -> None:
    """Places, codes and statuses."""
    root = environment(pinned("ty", version))
    (root / "bad.py").write_text('"é😀"; x: int = "s"\nprint(undefined)\n')
    (root / "good.py").write_text("x: int = 1\n")
    (root / "empty").mkdir()
    toolbox = Toolbox(LocalHost(root))
    bad = await toolbox.typecheck("bad.py")
    assert is_version(
        bad.run.tool_version, version if version == LATEST else version.replace("a", "-alpha.")
    )
    assert [(each.line, each.code) for each in bad.errors] == [
        (1, "invalid-assignment"),
        (2, "unresolved-reference"),
    ]
    assert [bad.errors[1].column, bad.status] == [7, "findings"]
    assert (await toolbox.typecheck("good.py")).status == "clean"
    assert not (await toolbox.typecheck("empty")).success
    assert not (await toolbox.typecheck("none.py")).success


@pytest.mark.parametrize("version", TY)
async def test_the_daemon(environment: Callable[..., Path], version: str) -> None:
    """The command line's answer under every ty, whatever its server can and says."""
    root = environment(pinned("ty", version))
    (root / "a.py").write_text('"é😀"; x: int = "s"\n')
    (root / "b.py").write_text("import a\ny: str = a.x\n")
    alone, hidden = Toolbox(LocalHost(root)), {"run"}
    async with Toolbox(LocalHost(root), daemon=True) as daemon:
        for text in ("y = 1\n", "import a\ny: str = a.x\n", "import nowhere\n", "y = 2\n"):
            (root / "b.py").write_text(text)
            answer, told = await daemon.typecheck("."), await alone.typecheck(".")
            assert answer.model_dump(exclude=hidden) == told.model_dump(exclude=hidden)


@pytest.mark.parametrize("version", RUFF)
async def test_ruff(environment: Callable[..., Path], version: str) -> None:
    """Places, codes, safe fixes and statuses."""
    root = environment(pinned("ruff", version))
    (root / "ruff.toml").write_text("lint.select = ['E', 'F']\n")
    (root / "bad.py").write_text('import os\n"é😀"; x = undefined\n')
    (root / "syntax.py").write_text("def f(:\n")
    (root / "good.py").write_text("x = 1\n")
    (root / "empty").mkdir()
    toolbox = Toolbox(LocalHost(root))
    bad = await toolbox.ruff_check("bad.py")
    assert [(each.line, each.column, each.code) for each in bad.violations] == [
        (1, 8, "F401"),
        (2, 5, "E702"),
        (2, 11, "F821"),
    ]
    assert bad.fixable_count == 1
    assert is_version(bad.run.tool_version, version)
    syntax = await toolbox.ruff_check("syntax.py")
    assert {each.code for each in syntax.violations} == {"invalid-syntax"}
    outcomes = [(await toolbox.ruff_check(path)).status for path in ("good.py", "empty", "none.py")]
    assert outcomes == ["clean", "nothing_checked", "tool_error"]


@pytest.mark.parametrize("xdist", [False, True])
@pytest.mark.parametrize("version", PYTEST)
async def test_pytest(environment: Callable[..., Path], version: str, *, xdist: bool) -> None:
    """Counts as in the last line; a broken module; a test that ends the process."""
    root = environment(pinned("pytest", version), *(["pytest-xdist"] if xdist else []))
    (root / "test_all.py").write_text(OUTCOMES)
    (root / "test_broken.py").write_text("import no_such_module\n")
    (root / "test_exit.py").write_text("import os\ndef test(): os._exit(0)\n")
    toolbox = Toolbox(LocalHost(root))
    if xdist:
        (root / "pytest.ini").write_text("[pytest]\naddopts = -n 2\n")
    result = await toolbox.pytest_run("test_all.py")
    assert (result.passed, result.failed, result.errors, result.skipped) == (1, 3, 1, 1)
    assert result.status == "findings"
    assert is_version(result.run.tool_version, version)
    shown = await toolbox.run_command("pytest", ["test_all.py"])
    assert re.search(r"3 failed, 1 passed, 1 skipped, 1 xfailed, 1 error in", shown)
    broken = await toolbox.pytest_run("test_broken.py")
    assert (broken.status, broken.errors) == ("findings", 1)
    if not xdist:
        assert (await toolbox.pytest_run("test_exit.py")).status == "crashed"
