"""Parse `ty check --output-format concise`: older ty, and the places in notebooks.

The concise form is text for people, so its list is held against the number in its own last line.
A message that goes over several lines is read as its first one. It is the only form that tells the
cell of a notebook (gitlab says 1:1, SARIF a line of all cells together).
"""

from __future__ import annotations

import re

from punie_tools.parsers._evidence import NO_EVIDENCE, Evidence, Verdict, died, failed
from punie_tools.parsers._report import conclude, report
from punie_tools.paths import display
from punie_tools.results.diagnostics import Diagnostic, DiagnosticReport
from punie_tools.results.typecheck import Severity

__all__ = ["parse_ty_concise"]

_NO_FILES = b"No python files found"
_SEVERITY = r"(?P<severity>fatal|error|warning|info)\[(?:lint:)?(?P<code>[\w-]+)\]"
_PLACE = r"(?P<file>.+?)(?::cell (?P<cell>\d{1,9}))?:(?P<line>\d{1,9}):(?P<column>\d{1,9})"
_NEW = re.compile(rf"{_PLACE}: {_SEVERITY} (?P<message>.*)")
_OLD = re.compile(rf"{_SEVERITY} {_PLACE}: (?P<message>.*)")
_NO_PLACE = re.compile(rf"{_SEVERITY} (?P<message>.*)")
_FOOTER = re.compile(r"Found (\d{1,9}) diagnostics?")
_SEVERITIES: dict[str, Severity] = {
    "fatal": "error",
    "error": "error",
    "warning": "warning",
    "info": "info",
}


def parse_ty_concise(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> DiagnosticReport:
    """Return what `ty check --output-format concise` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run.
    """
    lines = stdout.decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")
    diagnostics, unread = _diagnostics(lines, evidence)
    verdict = _judge(lines, len(diagnostics) + len(unread), unread, stderr, exit_code, evidence)
    return report("ty", verdict, diagnostics, evidence, stderr, exit_code)


def _diagnostics(lines: list[str], evidence: Evidence) -> tuple[list[Diagnostic], list[str]]:
    """Return the diagnostics, and the messages about files that could not be read."""
    found, unread = [], []
    for line in lines:
        match = _NEW.fullmatch(line) or _OLD.fullmatch(line)
        if match is None:
            if about := _NO_PLACE.fullmatch(line):
                unread.append(about["message"])
            continue
        if match["code"] == "io":
            unread.append(match["message"])
            continue
        found.append(
            Diagnostic(
                tool="ty",
                file=display(match["file"], evidence.root),
                line=max(int(match["line"]), 1),
                column=max(int(match["column"]), 1),
                cell=max(int(match["cell"]), 1) if match["cell"] else None,
                severity=_SEVERITIES[match["severity"]],
                code=match["code"],
                message=match["message"],
            )
        )
    return found, unread


def _judge(
    lines: list[str],
    found: int,
    unread: list[str],
    stderr: bytes,
    exit_code: int,
    evidence: Evidence,
) -> Verdict:
    if verdict := died("ty", exit_code, evidence, crash_codes=frozenset({101})):
        return verdict
    if unread:
        return Verdict("tool_error", f"ty could not read a path: {unread[0]}.")
    if exit_code not in {0, 1}:
        return failed("ty", stderr, exit_code)
    last = next((line for line in reversed(lines) if line.strip()), "")
    footer = _FOOTER.fullmatch(last)
    agrees = int(footer[1]) == found if footer else not found and last == "All checks passed!"
    if agrees:
        return conclude("ty", exit_code, found=bool(found), nothing=_NO_FILES in stderr)
    return Verdict("unparsable", f"ty lists {found} diagnostics, and its last line disagrees.")
