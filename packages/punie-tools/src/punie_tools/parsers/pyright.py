"""Parse `pyright --outputjson` and `basedpyright --outputjson`.

Covered: any version with a `summary`, whose counts must be those of the list. A file that pyright
cannot decode is not told by it, and so not by us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from punie_tools.columns import code_point_column
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

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["parse_basedpyright", "parse_pyright"]

_Number = Annotated[int, Field(strict=True, ge=0, le=2**31 - 2)]
_SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "information": "info"}


def _at(*path: str) -> AliasPath:
    return AliasPath("range", *path)


class _Record(BaseModel):
    file: str
    severity: Literal["error", "warning", "information"]
    message: str
    rule: str | None = None
    line: Annotated[_Number, Field(validation_alias=_at("start", "line"))] = 0
    character: Annotated[_Number, Field(validation_alias=_at("start", "character"))] = 0
    end_line: Annotated[_Number, Field(validation_alias=_at("end", "line"))] = 0
    end_character: Annotated[_Number, Field(validation_alias=_at("end", "character"))] = 0


class _Summary(BaseModel):
    filesAnalyzed: _Number  # noqa: N815 - pyright's name
    errorCount: _Number  # noqa: N815
    warningCount: _Number  # noqa: N815
    informationCount: _Number  # noqa: N815


class _Document(BaseModel):
    version: str
    generalDiagnostics: list[_Record]  # noqa: N815
    summary: _Summary


_DOCUMENT = TypeAdapter(_Document)


def parse_pyright(
    stdout: bytes,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence = NO_EVIDENCE,
    *,
    lines: Callable[[str, int], str | None] | None = None,
    tool: Literal["pyright", "basedpyright"] = "pyright",
) -> DiagnosticReport:
    """Return what `pyright --outputjson` said; `lines` as for `parse_mypy`."""
    document: _Document | None = None
    verdict = died(tool, exit_code, evidence, crash_codes=frozenset())
    if verdict is None and exit_code not in {0, 1}:
        verdict = failed(tool, stderr or stdout[:400], exit_code)
    if verdict is None:
        try:
            document = _DOCUMENT.validate_json(stdout)
        except ValidationError as error:
            verdict = not_a_report(tool, error)
        else:
            verdict = _judge(tool, document, exit_code)
    records = document.generalDiagnostics if document else []
    diagnostics = [_diagnostic(each, tool, evidence, lines) for each in records]
    made = report(tool, verdict, diagnostics, evidence, stderr, exit_code)
    if document is not None and made.run.tool_version is None:
        run = made.run.model_copy(update={"tool_version": document.version})
        made = made.model_copy(update={"run": run})
    return made


def parse_basedpyright(
    stdout: bytes,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence = NO_EVIDENCE,
    *,
    lines: Callable[[str, int], str | None] | None = None,
) -> DiagnosticReport:
    """Return what `basedpyright --outputjson` said; `lines` as for `parse_mypy`."""
    return parse_pyright(stdout, stderr, exit_code, evidence, lines=lines, tool="basedpyright")


def _judge(tool: str, document: _Document, exit_code: int) -> Verdict:
    records, summary = document.generalDiagnostics, document.summary
    counted = {name: sum(each.severity == name for each in records) for name in _SEVERITIES}
    said = {
        "error": summary.errorCount,
        "warning": summary.warningCount,
        "information": summary.informationCount,
    }
    if counted != said:
        return Verdict("unparsable", f"{tool}'s list and its summary do not agree.")
    return conclude(tool, exit_code, found=bool(records), nothing=summary.filesAnalyzed == 0)


def _diagnostic(
    record: _Record,
    tool: Literal["pyright", "basedpyright"],
    evidence: Evidence,
    lines: Callable[[str, int], str | None] | None,
) -> Diagnostic:
    file = display(record.file, evidence.root)

    def column(line: int, character: int) -> int:
        text = lines(file, line + 1) if lines else None
        return code_point_column(character, "utf-16", text)

    return Diagnostic(
        tool=tool,
        file=file,
        line=record.line + 1,
        column=column(record.line, record.character),
        end_line=record.end_line + 1,
        end_column=column(record.end_line, record.end_character),
        severity=_SEVERITIES[record.severity],
        code=record.rule,
        message=record.message,
    )
