"""The three checks as command lines: ty, ruff and pytest."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from punie_tools._files import read_below
from punie_tools._runner import Runner, missing
from punie_tools.errors import ToolMissingError
from punie_tools.parsers._evidence import Evidence
from punie_tools.parsers.pytest import parse_pytest
from punie_tools.parsers.ruff import parse_ruff
from punie_tools.parsers.ty import parse_ty
from punie_tools.results import LintResult, TestResult, TypeCheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TY_ENV", "pytest_run", "ruff_check", "typecheck"]

TY = ("ty", "check", "--output-format", "gitlab", "--no-progress", "--color", "never", "--")
#: What changes ty's output, removed whatever the host passes on. TY_LOG silences its warning that
#: there was no file to check.
TY_ENV: Mapping[str, str | None] = dict.fromkeys(
    ("CI_PROJECT_DIR", "TY_LOG", "TY_LOG_PROFILE", "TY_MEMORY_REPORT", "TY_OUTPUT_FORMAT")
)
# A project may set `fix = true`, and `fix-only = true`, which `--no-fix` alone does not turn off; a
# check must not change files, nor leave a cache.
_RUFF = (
    *("ruff", "check", "--output-format", "json", "--no-cache"),
    *("--no-fix", "--no-fix-only", "--no-unsafe-fixes", "--"),
)
_NO_SUCH_FLAG = b"unexpected argument '--no-progress'"
_PLUGIN = Path(__file__).parent / "_pytest_path"
_STREAM_LIMIT = 256 * 1024 * 1024


async def typecheck(runner: Runner, path: str) -> TypeCheckResult:
    """Run `ty check` on a path."""
    argv = [*TY, runner.argument(path)]
    try:
        done = await runner.run(argv, TY_ENV)
        if done.exit_code == 2 and _NO_SUCH_FLAG in done.stderr:
            argv.remove("--no-progress")  # the first releases had neither the flag nor the bar
            done = await runner.run(argv, TY_ENV)
    except ToolMissingError as error:
        return missing(TypeCheckResult, error, argv)
    evidence = await runner.evidence("ty", done)
    return parse_ty(done.stdout, done.stderr, done.exit_code, evidence)


async def ruff_check(runner: Runner, path: str) -> LintResult:
    """Run `ruff check` on a path."""
    argv = [*_RUFF, runner.argument(path)]
    try:
        done = await runner.run(argv)
    except ToolMissingError as error:
        return missing(LintResult, error, argv)
    evidence = await runner.evidence("ruff", done)
    return parse_ruff(done.stdout, done.stderr, done.exit_code, evidence)


async def pytest_run(runner: Runner, path: str) -> TestResult:
    """Run pytest on a path or node id, with Punie's plugin telling the outcomes."""
    file, separator, node = path.partition("::")
    argv = [
        *("pytest", "-p", "punie_pytest_stream", "--color=no"),
        f"{runner.argument(file)}{separator}{node}",
    ]
    with tempfile.TemporaryDirectory(prefix="punie-pytest-") as folder:
        # Not in the workspace: a run leaves nothing of ours there.
        stream = Path(folder) / "stream.jsonl"
        env = {"PYTHONPATH": _python_path(runner), "PUNIE_PYTEST_STREAM": str(stream)}
        try:
            done = await runner.run(argv, env)
        except ToolMissingError as error:
            return missing(TestResult, error, argv)
        told, whole = _read_stream(stream)
    evidence = replace(Evidence.of(done, root=runner.root), cut=not whole)
    stderr = done.stderr or _errors_in(done.stdout)
    return parse_pytest(told, stderr, done.exit_code, evidence)


def _read_stream(stream: Path) -> tuple[bytes, bool]:
    """Return what the plugin told, and whether that is all: the tests can reach the file too."""
    try:
        return read_below(stream.parent, stream, _STREAM_LIMIT), True
    except FileNotFoundError:
        return b"", True
    except OSError:
        return b"", False


def _python_path(runner: Runner) -> str:
    """Return PYTHONPATH with the plugin's directory, which holds nothing else, in front."""
    present = runner.environment().get("PYTHONPATH")
    return f"{_PLUGIN}:{present}" if present else str(_PLUGIN)


def _errors_in(stdout: bytes) -> bytes:
    """Return the lines in which pytest, on stdout, says why it cannot go on."""
    lines = [
        line
        for line in stdout.splitlines()
        if line.startswith((b"ERROR", b"INTERNALERROR", b"E   ", b"Exit:", b"!!!"))
    ]
    return b"\n".join(lines[-5:])
