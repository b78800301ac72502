"""Sessions on disk: every conversation survives the process, and any process can take it up.

Layout, under `<data directory>/sessions/<id>/`:

- `session.json`: what a list shows (directory, title, mode, model, times). Replaced whole.
- `journal.jsonl`: what happened, one record a line, only ever appended to: the updates an editor was
  sent (for replay) and the messages the model saw (for continuing).
- `lock`: held by the process that runs a turn.

Covered: a kill at any instant (at most the last, torn line of the journal is lost), a full disk (the
journal is cut back to whole records and the rest is kept in memory for the next try), damaged entries
(left out of lists, named when opened), concurrent processes. Not covered: network file systems without
`flock`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from punie_agent.errors import SessionError
from punie_agent.paths import data_dir
from punie_agent.permissions import MODES

__all__ = [
    "Page",
    "SessionBusyError",
    "SessionDamagedError",
    "SessionHeader",
    "SessionMissingError",
    "SessionStore",
    "StoredSession",
]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VERSION = 1
_OF_ONE_SESSION = frozenset({"rules", "paused"})


class SessionMissingError(SessionError):
    """There is no session of that name."""


class SessionDamagedError(SessionError):
    """A session's files cannot be read as a session; the message names the file and the line."""


class SessionBusyError(SessionError):
    """Another process is running a turn of the session."""


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What is known of a session without reading its journal. Times are ISO 8601 in UTC."""

    id: str
    cwd: str
    additional_directories: tuple[str, ...] = ()
    title: str = ""
    mode: str = "ask"
    model: str = ""
    created: str = ""
    updated: str = ""
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list of sessions, newest first; `cursor` leads to the next page."""

    headers: tuple[SessionHeader, ...]
    cursor: str | None = None


@dataclass(slots=True)
class _Tail:
    """How far the journal has been read or written by this process, and what is still to be written."""

    size: int = 0
    unsaved: list[bytes] = field(default_factory=list)


def now() -> str:
    """Return the present time as lists show it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StoredSession:
    """One session's folder, open in this process."""

    def __init__(self, folder: Path, header: SessionHeader) -> None:
        self.folder = folder
        self.header = header
        self._tail = _Tail()

    @property
    def journal(self) -> Path:
        """The file of everything that happened."""
        return self.folder / "journal.jsonl"

    def change(self, **changes: Any) -> None:
        """Replace fields of the header, on disk in one step.

        Raises:
            OSError: It could not be written; the old header is still there, whole.
        """
        self.header = dataclasses.replace(self.header, **changes)
        _write_header(self.folder, self.header)

    @contextmanager
    def turn(self) -> Generator[bool]:
        """Hold the session's lock; the value tells whether another process has written meanwhile.

        Raises:
            SessionBusyError: Another process holds it.
            SessionMissingError: The session was deleted.
        """
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise SessionMissingError(f"session {self.header.id} was deleted") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"session {self.header.id} is in use by another process; wait or cancel it there"
                raise SessionBusyError(message) from error
            try:
                yield self._journal_size() != self._tail.size
            finally:
                # A child that is being forked right now has a copy of the descriptor, and closing ours
                # would leave the lock with it for a moment; unlocking ends it for all copies.
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)

    def read(self) -> list[dict[str, Any]]:
        """Return every record of the journal, in order. A torn last line is left out.

        What this process could not write yet comes last: it happened, and is still to be written.

        Raises:
            SessionDamagedError: A line in the middle is not a record.
        """
        try:
            data = self.journal.read_bytes()
        except FileNotFoundError:
            data = b""
        whole = data.rfind(b"\n") + 1
        records = [self._record(n, line) for n, line in enumerate(data[:whole].splitlines(), 1)]
        self._tail = _Tail(whole, self._tail.unsaved)
        return records + [json.loads(line) for line in self._tail.unsaved]

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Add records to the journal, all or none; those that cannot be written are kept and retried.

        Args:
            records: JSON objects.

        Raises:
            OSError: The disk would not take them.
        """
        self._tail.unsaved += [_line(record) for record in records]
        if not self._tail.unsaved:
            return
        data = b"".join(self._tail.unsaved)
        handle = os.open(self.journal, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            start = self._end_of_records(handle)
            try:
                _write_all(handle, data)
            except OSError:
                os.ftruncate(handle, start)
                raise
        finally:
            os.close(handle)
        self._tail = _Tail(size=start + len(data))

    def sync(self) -> None:
        """Make what was appended survive a power cut; a failure to is not worth a turn."""
        with contextlib.suppress(OSError):
            handle = os.open(self.journal, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _end_of_records(self, handle: int) -> int:
        """Move to the end of the last whole record and cut off a torn one behind it."""
        size = os.lseek(handle, 0, os.SEEK_END)
        if size == self._tail.size:
            return size
        whole = self.journal.read_bytes().rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        return os.lseek(handle, whole, os.SEEK_SET)

    def _journal_size(self) -> int:
        try:
            return self.journal.stat().st_size
        except FileNotFoundError:
            return 0

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
            raise SessionDamagedError(
                f"session {self.header.id} is damaged: line {number} of {self.journal} is not a record; "
                "remove that line, or delete the session"
            )
        return record


class SessionStore:
    """All sessions under one data directory."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or data_dir()) / "sessions"

    def create(
        self,
        cwd: str,
        *,
        additional_directories: Iterable[str] = (),
        mode: str = "ask",
        model: str = "",
        title: str = "",
    ) -> StoredSession:
        """Make a new, empty session.

        Raises:
            SessionError: It cannot be stored; nothing is left of it.
        """
        stamp = now()
        name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:12]}"
        header = SessionHeader(
            id=name,
            cwd=cwd,
            additional_directories=tuple(additional_directories),
            title=title,
            mode=mode,
            model=model,
            created=stamp,
            updated=stamp,
        )
        folder = self.root / name
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(mode=0o700)
            _write_header(folder, header)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            reason = error.strerror or error
            raise SessionError(f"a session cannot be stored in {self.root}: {reason}") from error
        return StoredSession(folder, header)

    def fork(self, session_id: str, cwd: str, additional: Iterable[str] = ()) -> StoredSession:
        """Make a new session with the past of another one.

        Raises:
            SessionMissingError: There is no such session.
            SessionDamagedError: It cannot be read.
        """
        origin = self.open(session_id)
        # What a person allowed, and a run that waits for an answer, belong to the session they were in.
        records = [each for each in origin.read() if each["kind"] not in _OF_ONE_SESSION]
        header = origin.header
        copy = self.create(
            cwd,
            additional_directories=additional,
            mode=header.mode,
            model=header.model,
            title=header.title,
        )
        copy.append(records)
        copy.sync()
        return copy

    def open(self, session_id: str) -> StoredSession:
        """Open a session that exists.

        Raises:
            SessionMissingError: It does not.
            SessionDamagedError: Its header cannot be read.
        """
        folder = self._folder(session_id)
        return StoredSession(folder, _read_header(folder))

    def list(self, *, cwd: str | None = None, cursor: str | None = None, limit: int = 50) -> Page:
        """Return sessions, newest first, only those of `cwd` if given; damaged ones are left out."""
        headers = sorted(self._headers(cwd), key=_newest)
        if cursor is not None:
            headers = [header for header in headers if _newest(header) > _position(cursor)]
        page = tuple(headers[:limit])
        more = len(headers) > limit
        return Page(page, f"{page[-1].updated}/{page[-1].id}" if more else None)

    def delete(self, session_id: str) -> None:
        """Remove a session with everything it holds.

        Raises:
            SessionMissingError: There is none.
            SessionBusyError: Another process is running a turn of it.
        """
        folder = self._folder(session_id)
        with StoredSession(folder, SessionHeader(id=session_id, cwd="")).turn():
            doomed = folder.with_name(f".deleted-{uuid.uuid4().hex}")
            folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _headers(self, cwd: str | None) -> Iterator[SessionHeader]:
        if not self.root.is_dir():
            return
        for folder in self.root.iterdir():
            try:
                header = _read_header(folder)
            except SessionError:
                continue
            if cwd is None or header.cwd == cwd:
                yield header

    def _folder(self, session_id: str) -> Path:
        folder = self.root / session_id
        if not _ID.fullmatch(session_id) or not folder.is_dir():
            raise SessionMissingError(f"no session {session_id!r:.80} in {self.root}")
        return folder


def _newest(header: SessionHeader) -> tuple[tuple[int, ...], str]:
    return tuple(-ord(c) for c in header.updated), header.id


def _position(cursor: str) -> tuple[tuple[int, ...], str]:
    updated, _, name = cursor.partition("/")
    return tuple(-ord(c) for c in updated), name


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _write_header(folder: Path, header: SessionHeader) -> None:
    draft = folder / f"session.json.{os.getpid()}.tmp"
    text = json.dumps({"version": _VERSION, **dataclasses.asdict(header)}, indent=1)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / "session.json")
    finally:
        draft.unlink(missing_ok=True)


def _read_header(folder: Path) -> SessionHeader:
    path = folder / "session.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields.pop("version")
        fields["additional_directories"] = tuple(fields["additional_directories"])
        header = SessionHeader(**fields)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        message = (
            f"session {folder.name} is damaged: {path} cannot be read ({error}); delete the session"
        )
        raise SessionDamagedError(message) from error
    if version != _VERSION:
        raise SessionDamagedError(f"{path} was written by another version of Punie")
    texts = (header.cwd, header.title, header.mode, header.model, header.updated)
    sound = all(isinstance(v, str) for v in texts) and type(header.turns) is int
    if header.id != folder.name or not sound:
        raise SessionDamagedError(f"session {folder.name} is damaged: {path} is not its header")
    # A mode that this version does not know must not end as one that asks nobody.
    return header if header.mode in MODES else dataclasses.replace(header, mode="ask")
