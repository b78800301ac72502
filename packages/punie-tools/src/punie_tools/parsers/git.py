r"""Parse git's `-z` outputs: `status --porcelain=v2`, `diff --raw --numstat`, `log`.

Covered: renames, copies, conflicts, binary files, submodules, any file name (a byte that is not
UTF-8 is shown as `\xNN`). Not covered: combined diffs of merges; a `status` or `log` that lost whole
entries at its end and still claims exit code 0, which their formats give no way to see.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from punie_tools.parsers._evidence import NO_EVIDENCE, Evidence, Verdict, died, failed
from punie_tools.paths import display
from punie_tools.results.git import (
    ChangeKind,
    DiffFile,
    GitCommit,
    GitDiffResult,
    GitFileStatus,
    GitLogResult,
    GitStatusResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["parse_git_diff", "parse_git_log", "parse_git_status"]

_KINDS: dict[str, ChangeKind] = {
    "M": "modified",
    "A": "added",
    "D": "deleted",
    "R": "renamed",
    "C": "copied",
    "T": "type_changed",
    "U": "conflicted",
    "X": "modified",  # "unknown", which git itself calls a bug
}
_FIELDS = 5  # of a commit
_NO_COMMITS = b"does not have any commits yet"


class _MalformedError(Exception):
    """Output that git does not write."""


def parse_git_status(
    stdout: bytes,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence = NO_EVIDENCE,
    *,
    toplevel: Path | None = None,
) -> GitStatusResult:
    """Return what `git status --porcelain=v2 --branch -z` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run; `root` is what paths become relative to.
        toplevel: The repository's top directory, which git's paths are relative to.
    """
    name = _namer(evidence, toplevel)
    files: list[GitFileStatus] = []

    def read() -> None:
        tokens = _tokens(stdout)
        seen_head = False
        for token in tokens:
            seen_head |= token.startswith(b"# branch.oid ")
            files.extend(_status_entry(token, tokens, name))
        if not seen_head:
            raise _MalformedError("it has no branch line")

    verdict = _verdict("git status", stderr, exit_code, evidence, read)
    files.sort(key=lambda each: (each.file, not each.staged))
    return GitStatusResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        files=files if verdict.status == "clean" else [],
        run=evidence.run(stderr, exit_code),
    )


def parse_git_diff(
    stdout: bytes,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence = NO_EVIDENCE,
    *,
    toplevel: Path | None = None,
) -> GitDiffResult:
    """Return what `git diff --exit-code --raw --numstat -z -M` said.

    Arguments are those of `parse_git_status`. Exit code 1 means that there are changes, so that
    output that was lost is noticed.
    """
    name = _namer(evidence, toplevel)
    kinds: dict[bytes, ChangeKind] = {}
    counts: dict[bytes, tuple[int, int]] = {}

    def read() -> None:
        tokens = _tokens(stdout)
        for token in tokens:
            if token.startswith(b":"):
                path, kind = _raw_entry(token, tokens)
                # A conflict is told twice: as a conflict, and as the change since its base.
                if kinds.get(path) != "conflicted":
                    kinds[path] = kind
            else:
                path, added, removed = _numstat_entry(token, tokens)
                counts[path] = (added, removed)
        if unknown := counts.keys() - kinds.keys():
            raise _MalformedError(f"it counts {_text(min(unknown))}, which it does not list")
        missing = {path for path, kind in kinds.items() if kind != "conflicted"} - counts.keys()
        if missing:
            raise _MalformedError(f"it lists {_text(min(missing))}, which it does not count")
        if exit_code == 1 and not kinds:
            raise _MalformedError("it says that there are changes, and lists none")

    verdict = _verdict("git diff", stderr, exit_code, evidence, read, answers={0, 1})
    files = [
        DiffFile(
            file=name(path),
            status=kind,
            additions=counts.get(path, (0, 0))[0],
            deletions=counts.get(path, (0, 0))[1],
        )
        for path, kind in kinds.items()
        if verdict.status == "clean"
    ]
    files.sort(key=lambda each: each.file)
    return GitDiffResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        files=files,
        run=evidence.run(stderr, exit_code),
    )


def parse_git_log(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> GitLogResult:
    """Return what `git log -z --format=%H%x00%an%x00%aI%x00%s%x00%b` said."""
    commits: list[GitCommit] = []

    def read() -> None:
        tokens = list(_tokens(stdout))
        commits.extend(
            _commit(tokens[start : start + _FIELDS]) for start in range(0, len(tokens), _FIELDS)
        )

    verdict = _verdict("git log", stderr, exit_code, evidence, read)
    if exit_code == 128 and _NO_COMMITS in stderr:
        verdict = Verdict("nothing_checked", "the branch has no commit yet.")
    elif verdict.status == "clean" and not commits:
        verdict = Verdict("nothing_checked", "no commit touches that path.")
    return GitLogResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        commits=commits if verdict.status == "clean" else [],
        run=evidence.run(stderr, exit_code),
    )


def _verdict(
    tool: str,
    stderr: bytes,
    exit_code: int,
    evidence: Evidence,
    read: Callable[[], None],
    *,
    answers: Collection[int] = (0,),
) -> Verdict:
    """Return the verdict of a git command whose output `read` takes in."""
    # 128 and 129 are git's own words for "fatal" and "usage", not signals.
    if exit_code in {128, 129} and not evidence.timed_out:
        return failed(tool, stderr, exit_code)
    if verdict := died(tool, exit_code, evidence, crash_codes=frozenset()):
        return verdict
    if exit_code not in answers:
        return failed(tool, stderr, exit_code)
    try:
        read()
    except (_MalformedError, ValidationError) as error:
        what = "a commit is malformed" if isinstance(error, ValidationError) else error
        return Verdict("unparsable", f"{tool} wrote something that git does not write: {what}.")
    return Verdict("clean")


def _namer(evidence: Evidence, toplevel: Path | None) -> Callable[[bytes], str]:
    """Return how git's paths, relative to its top directory, are shown."""

    def name(path: bytes) -> str:
        text = _text(path)
        return text if toplevel is None else display(f"{toplevel}/{text}", evidence.root)

    return name


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _tokens(stdout: bytes) -> Iterator[bytes]:
    """Yield the NUL-terminated strings; what does not end with NUL was cut short."""
    if stdout and not stdout.endswith(b"\0"):
        raise _MalformedError("it is cut short")
    yield from stdout.split(b"\0")[:-1]


def _next(tokens: Iterator[bytes]) -> bytes:
    token = next(tokens, b"")
    if not token:
        raise _MalformedError("a file name is missing")
    return token


def _kind(letter: str) -> ChangeKind:
    try:
        return _KINDS[letter]
    except KeyError:
        raise _MalformedError(f"{letter!r} is no kind of change") from None


def _status_entry(
    token: bytes, tokens: Iterator[bytes], name: Callable[[bytes], str]
) -> list[GitFileStatus]:
    """Return the changes one status entry tells; a rename takes the old name off `tokens`."""
    mark, _, rest = token.partition(b" ")
    if mark in {b"#", b"!"}:
        return []
    if mark == b"?" and rest:
        return [GitFileStatus(file=name(rest), status="untracked", staged=False)]
    fields = {b"1": 8, b"2": 9, b"u": 10}.get(mark)
    parts = token.split(b" ", fields) if fields else []
    if not fields or len(parts) != fields + 1 or len(parts[1]) != 2 or not parts[-1]:
        raise _MalformedError(f"an entry begins with {_text(token[:20])!r}")
    if mark == b"2":
        _next(tokens)
    file = name(parts[-1])
    if mark == b"u":
        return [GitFileStatus(file=file, status="conflicted", staged=False)]
    index, tree = parts[1].decode("ascii", "replace")
    found = [(letter, staged) for letter, staged in ((index, True), (tree, False)) if letter != "."]
    return [GitFileStatus(file=file, status=_kind(each), staged=staged) for each, staged in found]


_RAW = re.compile(rb":\d{6} \d{6} [0-9a-f]+ [0-9a-f]+ ([A-Z])\d*")
_NUMSTAT = re.compile(rb"(\d{1,18}|-)\t(\d{1,18}|-)\t(.*)", re.DOTALL)


def _raw_entry(token: bytes, tokens: Iterator[bytes]) -> tuple[bytes, ChangeKind]:
    found = _RAW.fullmatch(token)
    if not found:
        raise _MalformedError(f"an entry begins with {_text(token[:20])!r}")
    letter = found[1].decode()
    path = _next(tokens)
    return (_next(tokens) if letter in "RC" else path), _kind(letter)


def _numstat_entry(token: bytes, tokens: Iterator[bytes]) -> tuple[bytes, int, int]:
    found = _NUMSTAT.fullmatch(token)
    if not found:
        raise _MalformedError(f"a count begins with {_text(token[:20])!r}")
    added, removed, path = found.groups()
    if not path:  # a rename: both names follow
        _next(tokens)
        path = _next(tokens)
    return path, _lines(added), _lines(removed)


def _lines(count: bytes) -> int:
    return 0 if count == b"-" else int(count)


def _commit(fields: list[bytes]) -> GitCommit:
    if len(fields) != _FIELDS:
        raise _MalformedError("a commit lacks fields")
    digest, author, date, subject, body = (each.decode("utf-8", "replace") for each in fields)
    return GitCommit(
        hash=digest.strip(),
        author=author,
        date=date,
        message=f"{subject}\n\n{body.strip()}" if body.strip() else subject,
    )
