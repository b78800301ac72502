"""Pure functions from a tool's output to its typed result; none of them ever raises."""

from punie_tools.parsers._evidence import Evidence
from punie_tools.parsers.git import parse_git_diff, parse_git_log, parse_git_status
from punie_tools.parsers.pytest import parse_pytest
from punie_tools.parsers.ruff import parse_ruff, parse_ruff_diagnostics, parse_ruff_format
from punie_tools.parsers.ty import parse_ty

__all__ = [
    "Evidence",
    "parse_git_diff",
    "parse_git_log",
    "parse_git_status",
    "parse_pytest",
    "parse_ruff",
    "parse_ruff_diagnostics",
    "parse_ruff_format",
    "parse_ty",
]
