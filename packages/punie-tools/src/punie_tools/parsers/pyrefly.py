"""Parse `pyrefly check --output-format json` (measured with pyrefly 0.4x and 1.x)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from punie_tools.parsers._evidence import (
    NO_EVIDENCE,
    Evidence,
    Verdict,
    died,
    failed,
    not_a_report,
)
from punie_tools.parsers._report import conclude, report
from punie_tools.paths import display
from punie_tools.results.diagnostics import Diagnostic, DiagnosticReport
from punie_tools.results.typecheck import Severity

__all__ = ["parse_pyrefly"]

_NO_FILES = b"No Python files matched"
_UNREADABLE = "Failed to load "
_SEVERITIES: dict[str, Severity] = {"error": "error", "warn": "warning", "warning": "warning"}
_Number = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class _Record(BaseModel):
    line: _Number
    column: _Number
    stop_line: _Number | None = None
    stop_column: _Number | None = None
    path: str
    name: str
    description: str
    severity: str = "error"


class _Document(BaseModel):
    errors: list[_Record]


_DOCUMENT = TypeAdapter(_Document)


def parse_pyrefly(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> DiagnosticReport:
    """Return what `pyrefly check --output-format json` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run.
    """
    verdict, records = _check(stdout, stderr, exit_code, evidence)
    diagnostics = [
        Diagnostic(
            tool="pyrefly",
            file=display(each.path, evidence.root),
            line=each.line,
            column=each.column,
            end_line=each.stop_line,
            end_column=each.stop_column,
            severity=_SEVERITIES.get(each.severity, "info"),
            code=each.name,
            message=each.description,
        )
        for each in records
    ]
    return report("pyrefly", verdict, diagnostics, evidence, stderr, exit_code)


def _check(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence
) -> tuple[Verdict, list[_Record]]:
    if verdict := died("pyrefly", exit_code, evidence, crash_codes=frozenset({101})):
        return verdict, []
    if exit_code == 1 and not stdout.strip() and _NO_FILES in stderr:
        return Verdict("nothing_checked", "pyrefly found no Python file; nothing was checked."), []
    if exit_code not in {0, 1} or (exit_code == 1 and not stdout.strip()):
        return failed("pyrefly", stderr, exit_code), []
    try:
        records = _DOCUMENT.validate_json(stdout).errors
    except ValidationError as error:
        return not_a_report("pyrefly", error), []
    return _judge(records, exit_code)


def _judge(records: list[_Record], exit_code: int) -> tuple[Verdict, list[_Record]]:
    unread = [each for each in records if each.description.startswith(_UNREADABLE)]
    if unread:
        kept = [each for each in records if each not in unread]
        return Verdict("tool_error", f"pyrefly: {unread[0].description}."), kept
    return conclude("pyrefly", exit_code, found=bool(records), nothing=False), records
