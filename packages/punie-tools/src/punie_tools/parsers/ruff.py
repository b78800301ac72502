"""Parse `ruff check --output-format json` and `ruff format --check`.

Covered: ruff 0.4 and later. A file that ruff could not read is an `E902` record with exit code 1;
here it is a `tool_error`. Not covered: `--fix` runs, whose records are of what is left.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, FailFast, Field, TypeAdapter, ValidationError

from punie_tools.parsers._evidence import (
    NO_EVIDENCE,
    Evidence,
    Verdict,
    died,
    failed,
    not_a_report,
)
from punie_tools.paths import display
from punie_tools.results.diagnostics import Diagnostic, DiagnosticFix, DiagnosticReport
from punie_tools.results.lint import FormatResult, LintResult

__all__ = ["parse_ruff", "parse_ruff_diagnostics", "parse_ruff_format"]

_NO_FILES = b"No Python files found"
_UNREADABLE = "E902"
_NOTHING = Verdict(
    "nothing_checked", "ruff found no Python file under that path; nothing was checked."
)
_CRASH_CODES = frozenset({101})

_Number = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class _Point(BaseModel):
    row: _Number
    column: _Number


class _Fix(BaseModel):
    applicability: Literal["safe", "unsafe", "display"]
    message: str | None = None


class _Record(BaseModel):
    cell: _Number | None = None
    code: str | None
    filename: str | None
    location: _Point | None
    end_location: _Point | None = None
    fix: _Fix | None = None
    message: str
    severity: Literal["error", "warning", "info"] = "error"
    url: str | None = None


_RECORDS = TypeAdapter(Annotated[list[_Record], FailFast()])


class _Checked(NamedTuple):
    verdict: Verdict
    records: list[_Record]


def parse_ruff(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> LintResult:
    """Return what `ruff check --output-format json` said, as the simple view."""
    return parse_ruff_diagnostics(stdout, stderr, exit_code, evidence).as_lint()


def parse_ruff_diagnostics(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> DiagnosticReport:
    """Return what `ruff check --output-format json` said, with nothing left out.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run; `root` makes absolute paths relative.
    """
    verdict, records = _check(stdout, stderr, exit_code, evidence)
    diagnostics = [_diagnostic(record, evidence) for record in records]
    diagnostics.sort(key=lambda d: (d.file, d.cell or 0, d.line, d.column, d.code, d.message))
    return DiagnosticReport(
        tool="ruff",
        status=verdict.status,
        parse_error=evidence.told(verdict),
        diagnostics=diagnostics,
        run=evidence.run(stderr, exit_code),
    )


def _check(stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence) -> _Checked:
    if verdict := died("ruff", exit_code, evidence, crash_codes=_CRASH_CODES):
        return _Checked(verdict, [])
    if exit_code not in {0, 1}:
        return _Checked(failed("ruff", stderr, exit_code), [])
    if not stdout.strip():
        # Before 0.4.? a run without files wrote nothing at all.
        verdict = Verdict("unparsable", f"ruff wrote no report (exit code {exit_code}).")
        return _Checked(_NOTHING if exit_code == 0 and _NO_FILES in stderr else verdict, [])
    try:
        records = _RECORDS.validate_json(stdout)
    except ValidationError as error:
        return _Checked(not_a_report("ruff", error), [])
    return _judge(records, stderr, exit_code)


def _judge(records: list[_Record], stderr: bytes, exit_code: int) -> _Checked:
    unread = [each for each in records if each.code == _UNREADABLE or not each.filename]
    kept = [each for each in records if each not in unread]
    if unread:
        said = f"{unread[0].filename or 'a file'}: {unread[0].message}"
        return _Checked(Verdict("tool_error", f"ruff could not read {said}."), kept)
    if records:
        return _Checked(Verdict("findings"), records)
    if exit_code == 1:
        reason = "ruff reported a problem (exit code 1), and its report names none."
        return _Checked(Verdict("unparsable", reason), [])
    return _Checked(_NOTHING if _NO_FILES in stderr else Verdict("clean"), [])


def _diagnostic(record: _Record, evidence: Evidence) -> Diagnostic:
    start = record.location or _Point(row=1, column=1)
    end = record.end_location
    return Diagnostic(
        tool="ruff",
        file=display(record.filename or "", evidence.root),
        line=start.row,
        column=start.column,
        end_line=end.row if end else None,
        end_column=end.column if end else None,
        cell=record.cell,
        severity=record.severity,
        # Syntax errors have had no code (0.5 to 0.11), and E999 before that.
        code="invalid-syntax" if record.code in {None, "E999"} else record.code,
        message=record.message,
        url=record.url,
        fix=DiagnosticFix(message=record.fix.message, safe=record.fix.applicability == "safe")
        if record.fix
        else None,
    )


_WOULD = re.compile(r"^Would reformat: (.+)$", re.MULTILINE)
_ARROW = re.compile(r"^unformatted: .*\n\s*--> (.+?):\d+:\d+$", re.MULTILINE)
_FOOTER = re.compile(r"^(\d+) files? would be reformatted", re.MULTILINE)
_ALL_WELL = re.compile(r"^\d+ files? (?:already formatted|left unchanged)", re.MULTILINE)


def parse_ruff_format(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> FormatResult:
    """Return what `ruff format --check` said: the files it would change.

    It has no machine format that every version knows, so the list is held against the number in
    ruff's own last line, and disagreement is `unparsable`.
    """
    text = stdout.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    files = sorted({display(f, evidence.root) for f in _WOULD.findall(text) + _ARROW.findall(text)})
    verdict = _format_verdict(text, stderr, exit_code, evidence, len(files))
    return FormatResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        files=files if verdict.status in {"findings", "tool_error"} else [],
        run=evidence.run(stderr, exit_code),
    )


def _format_verdict(
    text: str, stderr: bytes, exit_code: int, evidence: Evidence, found: int
) -> Verdict:
    if verdict := died("ruff", exit_code, evidence, crash_codes=_CRASH_CODES):
        return verdict
    if exit_code not in {0, 1}:
        return failed("ruff format", stderr, exit_code)
    if exit_code == 0 and _NO_FILES in stderr:
        return _NOTHING
    footer = _FOOTER.search(text)
    said = int(footer[1][:9]) if footer else 0
    if exit_code == 1 and said == found > 0:
        return Verdict("findings")
    if exit_code == 0 and said == found == 0 and _ALL_WELL.search(text):
        return Verdict("clean")
    reason = f"ruff format lists {found} files, and its last line does not agree."
    return Verdict("unparsable", reason)
