"""Parse `coverage json -o -`. Success is a report; a total under `--fail-under` is a finding."""

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
from punie_tools.paths import display
from punie_tools.results.coverage import CoverageFile, CoverageResult

__all__ = ["parse_coverage"]

_UNDER = 2
_Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
_Line = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


class _Summary(BaseModel):
    covered_lines: _Count
    num_statements: _Count
    missing_lines: _Count


class _File(BaseModel):
    summary: _Summary
    missing_lines: list[_Line]


class _Meta(BaseModel):
    version: str


class _Document(BaseModel):
    meta: _Meta
    files: dict[str, _File]
    totals: _Summary


_DOCUMENT = TypeAdapter(_Document)


def parse_coverage(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> CoverageResult:
    """Return what `coverage json -o -` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run.
    """
    document: _Document | None = None
    verdict = died("coverage", exit_code, evidence, crash_codes=frozenset())
    if verdict is None and exit_code not in {0, _UNDER}:
        verdict = failed("coverage", stderr or stdout[:400], exit_code)
    if verdict is None:
        try:
            document = _DOCUMENT.validate_json(stdout)
        except ValidationError as error:
            verdict = not_a_report("coverage", error)
        else:
            verdict = _judge(document, exit_code)
    files = [
        CoverageFile(
            file=display(path, evidence.root),
            statements=each.summary.num_statements,
            covered=each.summary.covered_lines,
            missing=sorted(each.missing_lines),
        )
        for path, each in sorted((document.files if document else {}).items())
    ]
    run = evidence.run(stderr, exit_code)
    if document is not None and run.tool_version is None:
        run = run.model_copy(update={"tool_version": document.meta.version})
    return CoverageResult(
        status=verdict.status, parse_error=evidence.told(verdict), files=files, run=run
    )


def _judge(document: _Document, exit_code: int) -> Verdict:
    files = document.files.values()
    for name in ("covered_lines", "num_statements", "missing_lines"):
        if sum(getattr(each.summary, name) for each in files) != getattr(document.totals, name):
            return Verdict("unparsable", "coverage's files and its totals do not agree.")
    if any(len(each.missing_lines) != each.summary.missing_lines for each in files):
        return Verdict("unparsable", "coverage's lists and its counts do not agree.")
    if exit_code == _UNDER:
        return Verdict("findings")
    if not document.totals.num_statements:
        return Verdict("nothing_checked", "coverage measured no statement.")
    return Verdict("clean")
