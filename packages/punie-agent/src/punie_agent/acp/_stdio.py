"""The agent's end of a stdio connection, safe against everything that shares the process.

`claim` takes file descriptors 0 and 1 for the protocol: afterwards a stray `print`, a library's banner
or a child process writes to stderr and reads end-of-file, never the wire. `StdioTransport` moves
messages over the claimed pair in two threads, so that pipes, sockets, terminals and files all work, a
client that stops reading cannot stall the event loop, and a closed stdout ends the connection even
while stdin stays open.

Covered: POSIX. Not covered: Windows, where a pipe cannot be polled for its reader's end.
"""

from __future__ import annotations

import asyncio
import io
import os
import queue
import select
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from punie_agent.acp import _frames

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_LINE", "StdioTransport", "claim"]

MAX_LINE = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_HEAD = 4096
_BACKLOG = 1024
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


def claim() -> tuple[int, int]:
    """Take stdin and stdout for the protocol and return private descriptors for them.

    File descriptor 1 becomes a second stderr and 0 an empty file, for this process and its children.
    """
    sys.stdout.flush()
    source, sink = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    # What is printed is to be seen when it is printed, and not be lost when the process is ended: unbuffered,
    # as `python -u` has it. `write_through` alone leaves the buffer below the text layer.
    raw = io.FileIO(1, "w", closefd=False)
    unbuffered = io.TextIOWrapper(
        cast("BinaryIO", raw), encoding="utf-8", errors="backslashreplace", write_through=True
    )
    sys.stdout = sys.__stdout__ = unbuffered
    return source, sink


class _Lines:
    """Splits a byte stream into lines of at most `limit` bytes; longer ones become their heads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False

    def feed(self, chunk: bytes) -> list[dict[str, Any] | _frames.Reject]:
        """Return the messages completed by `chunk`."""
        found = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._take(end)
            if (item := self._finish()) is not None:
                found.append(item)
        self._take(rest)
        return found

    def finish(self) -> list[dict[str, Any] | _frames.Reject]:
        """Return the message left without a newline at the end of the stream, if there is one."""
        item = self._finish()
        return [] if item is None else [item]

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit and not self._dropping:
            self._dropping = True
            self._parts = [b"".join([*self._parts, piece])[:_HEAD]]
        elif not self._dropping:
            self._parts.append(piece)

    def _finish(self) -> dict[str, Any] | _frames.Reject | None:
        line, dropped = b"".join(self._parts), self._dropping
        self._parts, self._size, self._dropping = [], 0, False
        if dropped:
            return _frames.overlong(line, self._limit)
        return _frames.parse(line) if line.strip() else None


class StdioTransport:
    """The SDK's `Transport` over two claimed descriptors.

    A line that is not a message is answered here and never reaches the connection. `receive` returns
    None once either side is closed.
    """

    def __init__(self, source: int, sink: int, *, max_line: int = MAX_LINE) -> None:
        self._source = source
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._incoming: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._room = threading.Semaphore(_BACKLOG)
        self._outgoing: queue.SimpleQueue[tuple[bytes, asyncio.Future[None] | None] | None]
        self._outgoing = queue.SimpleQueue()
        self._lines = _Lines(max_line)
        self._over = False
        self._wake_read, self._wake_write = os.pipe()
        self._reader = threading.Thread(target=self._read, name="punie-acp-read", daemon=True)
        self._writer = threading.Thread(target=self._write, name="punie-acp-write", daemon=True)
        self._reader.start()
        self._writer.start()

    async def send(self, message: dict[str, Any]) -> None:
        """Write one message; returns when it is written.

        Raises:
            ConnectionError: The client is gone.
        """
        if self._over:
            raise ConnectionError("the client closed the connection")
        written: asyncio.Future[None] = self._loop.create_future()
        self._outgoing.put((_frames.encode(message), written))
        await written

    def post(self, message: dict[str, Any]) -> None:
        """Write one message without waiting, in order with everything sent and posted."""
        if not self._over:
            self._outgoing.put((_frames.encode(message), None))

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the client is gone."""
        message = await self._incoming.get()
        if message is None:
            self._incoming.put_nowait(None)
        else:
            self._room.release()
        return message

    def hang_up(self) -> None:
        """Let `receive` return None, as if the client had gone; what is queued is still written."""
        self._incoming.put_nowait(None)

    async def close(self) -> None:
        """Write what is queued, then stop both threads."""
        self._over = True
        self._outgoing.put(None)
        self._incoming.put_nowait(None)
        os.write(self._wake_write, b"x")
        await asyncio.to_thread(self._writer.join, 2)

    def _post(self, call: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self._over = True

    def _read(self) -> None:
        try:
            for chunk in iter(self._next_chunk, b""):
                self._deliver(self._lines.feed(chunk))
            self._deliver(self._lines.finish())
        finally:
            self._post(self._incoming.put_nowait, None)

    def _next_chunk(self) -> bytes:
        """Wait for input; b"" when stdin ends, stdout has no reader any more, or on `close`."""
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._sink, 0)
        poll.register(self._wake_read, select.POLLIN)
        ready = dict(poll.poll())
        if self._over or self._wake_read in ready or ready.get(self._sink, 0) & _GONE:
            return b""
        try:
            return os.read(self._source, _CHUNK)
        except OSError:
            return b""

    def _deliver(self, items: list[dict[str, Any] | _frames.Reject]) -> None:
        for item in items:
            if isinstance(item, _frames.Reject):
                self._refuse(item)
            else:
                self._room.acquire()
                self._post(self._incoming.put_nowait, item)

    def _refuse(self, reject: _frames.Reject) -> None:
        print(f"punie acp: ignored a line: {reject.reason:.300}", file=sys.stderr, flush=True)
        if reject.answer is not None:
            self._outgoing.put((_frames.encode(reject.answer), None))

    def _write(self) -> None:
        while (item := self._outgoing.get()) is not None:
            data, written = item
            error = self._write_all(data)
            if written is not None:
                self._post(_settle, written, error)

    def _write_all(self, data: bytes) -> OSError | None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._sink, view) :]
        except OSError as error:
            self._over = True
            self._post(self._incoming.put_nowait, None)
            return error
        return None


def _settle(written: asyncio.Future[None], error: OSError | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(ConnectionError(f"the client closed the connection: {error}"))
