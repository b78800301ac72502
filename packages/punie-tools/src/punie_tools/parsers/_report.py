"""What the parsers of type checkers share: one way to end in a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie_tools.parsers._evidence import Verdict
from punie_tools.results.diagnostics import Diagnostic, DiagnosticReport, DiagnosticTool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from punie_tools.parsers._evidence import Evidence

__all__ = ["conclude", "report"]


def report(
    tool: DiagnosticTool,
    verdict: Verdict,
    diagnostics: Iterable[Diagnostic],
    evidence: Evidence,
    stderr: bytes,
    exit_code: int,
) -> DiagnosticReport:
    """Return a report with its diagnostics in a fixed order."""
    ordered = sorted(
        diagnostics,
        key=lambda d: (d.file, d.cell or 0, d.line, d.column, d.code or "", d.message),
    )
    return DiagnosticReport(
        tool=tool,
        status=verdict.status,
        parse_error=evidence.told(verdict),
        diagnostics=ordered,
        run=evidence.run(stderr, exit_code),
    )


def conclude(tool: str, exit_code: int, *, found: bool, nothing: bool) -> Verdict:
    """Return the verdict on a whole report of a checker that says 1 when it found something.

    Args:
        tool: Its name.
        exit_code: 0 or 1.
        found: Whether the report names anything.
        nothing: Whether the checker said that it had no file to check.
    """
    if found:
        return Verdict("findings")
    if exit_code == 1:
        return Verdict("unparsable", f"{tool} reported a problem (exit code 1), and names none.")
    if nothing:
        return Verdict("nothing_checked", f"{tool} found no Python file; nothing was checked.")
    return Verdict("clean")
