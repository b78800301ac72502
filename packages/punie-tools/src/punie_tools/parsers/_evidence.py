"""What a parser is told besides the output, and the verdicts every tool shares."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie_tools.results.base import Status, ToolRun

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError

    from punie_tools.host import Completed

__all__ = ["NO_EVIDENCE", "Evidence", "Verdict", "died", "failed", "last_words", "not_a_report"]

_TAIL_BYTES = 2000
_SENTENCE_CHARS = 400


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the output came about, as far as the caller knows.

    Attributes:
        argv: What was run.
        tool_version: The tool's version, such as `0.0.105`.
        duration: Wall-clock seconds.
        timed_out: Whether the tool was ended because it ran too long.
        cut: Whether output is missing because it was too long.
        root: The directory that paths in results are relative to.
    """

    argv: tuple[str, ...] = ()
    tool_version: str | None = None
    duration: float | None = None
    timed_out: bool = False
    cut: bool = False
    root: Path | None = None

    @classmethod
    def of(cls, done: Completed, *, root: Path, tool_version: str | None = None) -> Evidence:
        """Return the evidence of a completed command."""
        return cls(
            argv=done.argv,
            tool_version=tool_version,
            duration=done.duration,
            timed_out=done.timed_out,
            cut=done.cut,
            root=root,
        )

    def told(self, verdict: Verdict) -> str | None:
        """Return a verdict's reason as one line, the workspace's own path taken out of it."""
        if verdict.reason is None:
            return None
        line = " ".join(verdict.reason.split())
        return line if self.root is None else line.replace(f"{self.root}/", "")

    def run(self, stderr: bytes, exit_code: int | None) -> ToolRun:
        """Return what a result shows of this evidence."""
        return ToolRun(
            argv=[_utf8(each) for each in self.argv],
            exit_code=exit_code,
            tool_version=self.tool_version,
            stderr_tail=stderr[-_TAIL_BYTES:].decode("utf-8", "replace"),
            duration=self.duration,
        )


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status and, where there is no answer, the sentence that says why."""

    status: Status
    reason: str | None = None


def _utf8(text: str) -> str:
    """Return `text` with what UTF-8 cannot carry (undecodable file names) replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def died(
    tool: str, exit_code: int, evidence: Evidence, *, crash_codes: frozenset[int]
) -> Verdict | None:
    """Return the verdict of a tool that did not end by itself, or None when it did."""
    if evidence.timed_out:
        after = "" if evidence.duration is None else f" after {evidence.duration:.3g} s"
        return Verdict("timeout", f"{tool} was ended{after}: it ran past its timeout.")
    if exit_code < 0 or exit_code > 128 or exit_code in crash_codes:
        return Verdict("crashed", f"{tool} crashed ({_cause(exit_code)}); it checked nothing.")
    if evidence.cut:
        return Verdict("unparsable", f"{tool} wrote more than the output limit; it was cut.")
    return None


def _cause(exit_code: int) -> str:
    number = -exit_code if exit_code < 0 else exit_code - 128
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"exit code {exit_code}"


def last_words(stderr: bytes) -> str:
    """Return what standard error says, as one line that fits a sentence."""
    lines = (line.strip() for line in stderr.decode("utf-8", "replace").splitlines())
    text = "; ".join(line for line in lines if line)
    if len(text) > _SENTENCE_CHARS:
        text = text[: _SENTENCE_CHARS - 1] + "…"
    return text or "it did not say why"


def failed(tool: str, stderr: bytes, exit_code: int) -> Verdict:
    """Return the verdict of a tool that says itself that it could not do its work."""
    return Verdict("tool_error", f"{tool} failed (exit code {exit_code}): {last_words(stderr)}.")


def not_a_report(tool: str, error: ValidationError) -> Verdict:
    """Return the verdict on output that is not the report it should be."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(each) for each in first["loc"][:6]) or "document"
    return Verdict(
        "unparsable", f"{tool}'s report is not what {tool} writes ({where}: {first['msg']})."
    )
