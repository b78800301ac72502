"""Parse `ty check --output-format sarif` (ty 0.0.92 and later).

It has ranges, and a line where gitlab's form has none; in a notebook that line counts all cells
together (`punie_tools.parsers.ty_text` has the cell).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from punie_tools.parsers._evidence import (
    NO_EVIDENCE,
    Evidence,
    Verdict,
    died,
    failed,
    not_a_report,
)
from punie_tools.parsers._report import conclude, report
from punie_tools.paths import display, uri_path
from punie_tools.results.diagnostics import Diagnostic, DiagnosticReport
from punie_tools.results.typecheck import Severity

__all__ = ["parse_ty_sarif"]

_NO_FILES = b"No python files found"
_SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "note": "info"}
_Number = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class _Location(BaseModel):
    uri: str = Field(validation_alias=AliasPath("physicalLocation", "artifactLocation", "uri"))
    line: _Number = Field(1, validation_alias=AliasPath("physicalLocation", "region", "startLine"))
    column: _Number = Field(
        1, validation_alias=AliasPath("physicalLocation", "region", "startColumn")
    )
    end_line: _Number | None = Field(
        None, validation_alias=AliasPath("physicalLocation", "region", "endLine")
    )
    end_column: _Number | None = Field(
        None, validation_alias=AliasPath("physicalLocation", "region", "endColumn")
    )


class _Record(BaseModel):
    level: Literal["error", "warning", "note"]
    locations: list[_Location]
    message: str = Field(validation_alias=AliasPath("message", "text"))
    ruleId: str  # noqa: N815 - SARIF's name


class _Run(BaseModel):
    results: list[_Record]
    version: str = Field(validation_alias=AliasPath("tool", "driver", "version"))
    name: Literal["ty"] = Field(validation_alias=AliasPath("tool", "driver", "name"))


class _Document(BaseModel):
    runs: Annotated[list[_Run], Field(min_length=1, max_length=1)]
    version: Literal["2.1.0"]


_DOCUMENT = TypeAdapter(_Document)


def parse_ty_sarif(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> DiagnosticReport:
    """Return what `ty check --output-format sarif` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run.
    """
    verdict, records = _check(stdout, stderr, exit_code, evidence)
    diagnostics = [
        Diagnostic(
            tool="ty",
            file=display(uri_path(place.uri), evidence.root),
            line=place.line,
            column=place.column,
            end_line=place.end_line,
            end_column=place.end_column,
            severity=_SEVERITIES[each.level],
            code=each.ruleId,
            message=each.message,
        )
        for each in records
        for place in each.locations[:1]
    ]
    return report("ty", verdict, diagnostics, evidence, stderr, exit_code)


def _check(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence
) -> tuple[Verdict, list[_Record]]:
    if verdict := died("ty", exit_code, evidence, crash_codes=frozenset({101})):
        return verdict, []
    if exit_code not in {0, 1, 2} or (exit_code == 2 and not stdout.strip()):
        return failed("ty", stderr, exit_code), []
    try:
        records = _DOCUMENT.validate_json(stdout).runs[0].results
    except ValidationError as error:
        return not_a_report("ty", error), []
    return _judge(records, stderr, exit_code)


def _judge(records: list[_Record], stderr: bytes, exit_code: int) -> tuple[Verdict, list[_Record]]:
    unread = [each for each in records if each.ruleId == "io" or not each.locations]
    if unread:
        kept = [each for each in records if each not in unread]
        return Verdict("tool_error", f"ty could not read a path: {unread[0].message}."), kept
    if exit_code == 2:
        return failed("ty", stderr, exit_code), records
    nothing = _NO_FILES in stderr
    return conclude("ty", exit_code, found=bool(records), nothing=nothing), records
