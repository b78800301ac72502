"""Pure functions from a tool's output to its typed result; none of them ever raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from punie_tools.parsers._evidence import Evidence
from punie_tools.parsers.coverage import parse_coverage
from punie_tools.parsers.git import parse_git_diff, parse_git_log, parse_git_status
from punie_tools.parsers.mypy import parse_mypy
from punie_tools.parsers.pyrefly import parse_pyrefly
from punie_tools.parsers.pyright import parse_basedpyright, parse_pyright
from punie_tools.parsers.pytest import parse_pytest
from punie_tools.parsers.ruff import parse_ruff, parse_ruff_diagnostics, parse_ruff_format
from punie_tools.parsers.sarif import parse_ty_sarif
from punie_tools.parsers.ty import parse_ty
from punie_tools.parsers.ty_text import parse_ty_concise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from punie_tools.results import ToolResult


class Parser(Protocol):
    """What every parser is: a pure function that never raises."""

    def __call__(
        self, stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = ..., /
    ) -> ToolResult:
        """Return the result that a tool's output means."""
        ...


PARSERS: Mapping[str, Parser] = {
    "basedpyright": parse_basedpyright,
    "coverage": parse_coverage,
    "git-diff": parse_git_diff,
    "git-log": parse_git_log,
    "git-status": parse_git_status,
    "mypy": parse_mypy,
    "pyrefly": parse_pyrefly,
    "pyright": parse_pyright,
    "pytest": parse_pytest,
    "ruff": parse_ruff,
    "ruff-format": parse_ruff_format,
    "ty": parse_ty,
    "ty-concise": parse_ty_concise,
    "ty-sarif": parse_ty_sarif,
}
"""Every parser, by the name of the output it reads."""

__all__ = [
    "PARSERS",
    "Evidence",
    "Parser",
    "parse_basedpyright",
    "parse_coverage",
    "parse_git_diff",
    "parse_git_log",
    "parse_git_status",
    "parse_mypy",
    "parse_pyrefly",
    "parse_pyright",
    "parse_pytest",
    "parse_ruff",
    "parse_ruff_diagnostics",
    "parse_ruff_format",
    "parse_ty",
    "parse_ty_concise",
    "parse_ty_sarif",
]
