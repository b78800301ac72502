"""Parse the line stream of Punie's own pytest plugin (`-p punie_pytest_stream`).

Covered: pytest 7.0 and later, with and without xdist and subtests; a run that died keeps what it
told before. Success needs exit code 0, the `finish` line, as many lines as that line says, and that
nothing stopped the run before each test that was collected had ended.
Counts are those of pytest's last line: each outcome counts, so one test may count twice.

Not covered: outcomes that other plugins invent (`rerun`); they are left out.
"""

from __future__ import annotations

import sys
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from punie_tools.parsers._evidence import NO_EVIDENCE, Evidence, Verdict, died, last_words
from punie_tools.paths import display
from punie_tools.results.tests import Outcome, TestCase, TestResult

__all__ = ["parse_pytest"]

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=0)]
_ANSWERS = frozenset({0, 1, 2})  # 2: interrupted, by a module that cannot be collected too
_INTERNAL_ERROR, _USAGE_ERROR, _NOTHING_COLLECTED = 3, 4, 5
_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "error": "error",
    "skipped": "skipped",
    "xfailed": "xfailed",
    "xpassed": "xpassed",
    "subtests passed": "subtest passed",
    "subtests failed": "subtest failed",
    "subtests skipped": "skipped",
}


class _Start(BaseModel):
    kind: Literal["start"]
    pytest: str
    rootdir: str


class _Report(BaseModel):
    kind: Literal["report"]
    nodeid: str
    when: str
    category: str
    subtest: bool
    duration: _Seconds
    message: str


class _Collect(BaseModel):
    kind: Literal["collect"]
    nodeid: str
    outcome: Literal["failed", "skipped"]
    message: str


class _Finish(BaseModel):
    kind: Literal["finish"]
    exitstatus: int
    duration: _Seconds
    collected: _Count
    ended: _Count
    stopped: str  # by what the run was interrupted; empty where it was not
    lines: _Count


_Line = Annotated[_Start | _Report | _Collect | _Finish, Field(discriminator="kind")]
_LINE: TypeAdapter[_Start | _Report | _Collect | _Finish] = TypeAdapter(_Line)


class _Stream(NamedTuple):
    version: str | None
    cases: list[TestCase]
    finish: _Finish | None
    broken: int  # lines that are no line of the stream


def parse_pytest(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> TestResult:
    """Return what pytest said.

    Args:
        stdout: The plugin's stream, whole.
        stderr: What pytest wrote to standard error.
        exit_code: Its exit code.
        evidence: How it was run; `root` is what node ids' paths become relative to.
    """
    stream = _read(stdout, evidence)
    verdict = _judge(stream, stderr, exit_code, evidence)
    run = evidence.run(stderr, exit_code)
    if run.tool_version is None and stream.version:
        run = run.model_copy(update={"tool_version": stream.version})
    return TestResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        tests=stream.cases,
        duration=stream.finish.duration if stream.finish else evidence.duration or 0.0,
        run=run,
    )


def _read(stdout: bytes, evidence: Evidence) -> _Stream:
    version, finish, broken, seen = None, None, 0, 0
    names = _Names(evidence)
    cases: list[TestCase] = []
    collected: set[tuple[str, str]] = set()
    spent: dict[str, float] = {}
    for raw in stdout.split(b"\n"):
        if not raw.strip():
            continue
        try:
            line = _LINE.validate_json(raw)
        except ValidationError:
            broken += 1
            continue
        if isinstance(line, _Start):
            version, names.rootdir = line.pytest, line.rootdir
        elif isinstance(line, _Report):
            # A test's time is that of all its phases so far; silent phases only add to it.
            total = spent.get(line.nodeid, 0.0) + line.duration
            spent[line.nodeid] = min(total, sys.float_info.max)
            if case := _case(line, names, spent[line.nodeid]):
                cases.append(case)
        elif isinstance(line, _Collect):
            # Each xdist worker tells of the same broken module.
            if (line.nodeid, line.outcome) not in collected:
                collected.add((line.nodeid, line.outcome))
                cases.append(_collected(line, names))
        else:
            # A second finish line, or one that counts other lines than came, is no finish.
            finish = line if finish is None and line.lines == seen else None
        seen += 1
    cases.sort(key=lambda case: (case.name, case.outcome, case.message))
    return _Stream(version, cases, finish, broken)


class _Names:
    """Makes node ids, whose paths are relative to pytest's rootdir, relative to the workspace."""

    def __init__(self, evidence: Evidence) -> None:
        self._root = evidence.root
        self.rootdir: str | None = None

    def of(self, nodeid: str) -> str:
        if self._root is None or self.rootdir is None or not nodeid:
            return nodeid
        path, separator, rest = nodeid.partition("::")
        return display(f"{self.rootdir}/{path}", self._root) + separator + rest

    def within(self, message: str) -> str:
        """Return a message with the workspace's own path taken out of it."""
        return message if self._root is None else message.replace(f"{self._root}/", "")


def _case(line: _Report, names: _Names, spent: float) -> TestCase | None:
    outcome = _OUTCOMES.get(line.category)
    if outcome is None:
        return None
    if line.subtest and outcome == "failed":
        outcome = "subtest failed"
    return TestCase(
        name=names.of(line.nodeid),
        outcome=outcome,
        duration=spent,
        message=names.within(line.message),
    )


def _collected(line: _Collect, names: _Names) -> TestCase:
    outcome: Outcome = "error" if line.outcome == "failed" else "skipped"
    return TestCase(name=names.of(line.nodeid), outcome=outcome, message=names.within(line.message))


def _judge(stream: _Stream, stderr: bytes, exit_code: int, evidence: Evidence) -> Verdict:
    verdict = died("pytest", exit_code, evidence, crash_codes=frozenset({_INTERNAL_ERROR}))
    if verdict is not None:
        return verdict
    if exit_code == _USAGE_ERROR:
        return Verdict("tool_error", f"pytest could not start: {_why(stderr)}.")
    if stream.broken or stream.finish is None:
        return _incomplete(stream, stderr, exit_code)
    if exit_code == _NOTHING_COLLECTED:
        return Verdict("nothing_checked", "pytest collected no test; nothing was checked.")
    if exit_code in _ANSWERS and any(
        case.outcome in {"failed", "error", "subtest failed"} for case in stream.cases
    ):
        return Verdict("findings")
    return _unfailed(stream, stream.finish, stderr, exit_code)


def _why(stderr: bytes) -> str:
    """Return why pytest cannot go on: what it calls an error, whatever plugins warn of before it."""
    lines = stderr.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if line.startswith(b"ERROR: ")), 0)
    return last_words(b"".join(lines[start:]))


def _incomplete(stream: _Stream, stderr: bytes, exit_code: int) -> Verdict:
    if stream.version is None and not stream.cases and not stream.broken:
        why = _why(stderr)
        return Verdict("tool_error", f"pytest told nothing (exit code {exit_code}): {why}.")
    if stream.finish is None:
        return Verdict(
            "crashed",
            f"pytest ended before it finished (exit code {exit_code}); "
            "a test may have ended the process.",
        )
    return Verdict("unparsable", f"{stream.broken} lines of pytest's stream cannot be read.")


def _unfailed(stream: _Stream, finish: _Finish, stderr: bytes, exit_code: int) -> Verdict:
    if exit_code != 0:
        known = " though no test did" if exit_code in _ANSWERS else ""
        reason = f"pytest failed (exit code {exit_code}){known}: {_why(stderr)}."
        return Verdict("tool_error", reason)
    # Whoever stops pytest, or a plugin at its end, may choose exit code 0.
    how_far = f"{finish.ended} of {finish.collected} tests ended"
    if finish.stopped:
        return Verdict("tool_error", f"pytest was stopped ({finish.stopped}); {how_far}.")
    if all(case.outcome == "skipped" for case in stream.cases):
        skipped = len(stream.cases)
        return Verdict("nothing_checked", f"all {skipped} tests were skipped; nothing was checked.")
    if finish.ended < finish.collected:
        return Verdict("tool_error", f"pytest came to its end early: {how_far}.")
    return Verdict("clean")
