"""Parse `mypy --output json` (mypy 1.11 and later).

mypy writes nothing when all is well, so exit code 0 is all there is to trust then. Columns become
code points where the lines are known (see `punie_tools.columns`). Notes are `info`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from punie_tools.columns import ColumnUnit, code_point_column
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

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse_mypy"]

_NO_FILES = b"There are no .py[i] files"
_Number = Annotated[int, Field(strict=True, ge=-1, le=2**31 - 2)]


class _Record(BaseModel):
    file: str
    line: _Number
    column: _Number
    end_line: _Number | None = None
    message: str
    hint: str | None = None
    code: str | None
    severity: Literal["error", "warning", "note"]


_RECORD = TypeAdapter(_Record)


def parse_mypy(
    stdout: bytes,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence = NO_EVIDENCE,
    *,
    lines: Callable[[str, int], str | None] | None = None,
) -> DiagnosticReport:
    """Return what `mypy --output json` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run.
        lines: Gives the text of a line (counted from 1) of a file named as in the result. Without it
            columns on lines that are not ASCII are offsets in what mypy counts, and too high.
    """
    records, broken = _records(stdout)
    verdict = _judge(records, broken, stderr, exit_code, evidence)
    # Only mypy 2 writes where a diagnostic ends, and it counts in its own way.
    diagnostics = [
        _diagnostic(each, "utf-8" if each.end_line is None else "mypy 2", evidence, lines)
        for each in records
    ]
    return report("mypy", verdict, diagnostics, evidence, stderr, exit_code)


def _records(stdout: bytes) -> tuple[list[_Record], ValidationError | None]:
    records: list[_Record] = []
    for raw in stdout.split(b"\n"):
        if raw.strip():
            try:
                records.append(_RECORD.validate_json(raw))
            except ValidationError as error:
                return records, error
    return records, None


def _judge(
    records: list[_Record],
    broken: ValidationError | None,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence,
) -> Verdict:
    if verdict := died("mypy", exit_code, evidence, crash_codes=frozenset()):
        return verdict
    if exit_code == 2 and _NO_FILES in stderr:
        return Verdict("nothing_checked", "mypy found no Python file; nothing was checked.")
    if exit_code not in {0, 1, 2} or (exit_code == 2 and not records):
        return failed("mypy", stderr, exit_code)
    if broken is not None:
        return not_a_report("mypy", broken)
    return conclude("mypy", exit_code, found=bool(records), nothing=False)


def _diagnostic(
    record: _Record,
    unit: ColumnUnit,
    evidence: Evidence,
    lines: Callable[[str, int], str | None] | None,
) -> Diagnostic:
    file = display(record.file, evidence.root)
    line = max(record.line, 1)
    text = lines(file, line) if lines else None
    return Diagnostic(
        tool="mypy",
        file=file,
        line=line,
        column=code_point_column(record.column, unit, text),
        severity="info" if record.severity == "note" else record.severity,
        code=record.code,
        message=record.message if not record.hint else f"{record.message}\n{record.hint}",
    )
