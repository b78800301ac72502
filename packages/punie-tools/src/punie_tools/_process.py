"""Run one child process to its end: own group, timeout, output limit, nothing left behind.

The pipes are ours and not asyncio's, so that waiting for the child does not also wait for a
grandchild that kept the pipe open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from punie_tools.host import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["kill_group", "run_process"]

_TERM_GRACE_S = 1.0
_DRAIN_GRACE_S = 0.5


class _Collector(asyncio.Protocol):
    """Keeps the first `limit` bytes of a pipe and reads the rest away."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._chunks: list[bytes] = []
        self.cut = False
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if len(data) > self._room:
            self.cut = True
            data = data[: self._room]
        if data:
            self._room -= len(data)
            self._chunks.append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.closed.set()

    @property
    def data(self) -> bytes:
        return b"".join(self._chunks)


class _Pipe:
    """A pipe whose read end the event loop watches."""

    def __init__(self, limit: int) -> None:
        self.collector = _Collector(limit)
        self._read, self.write = os.pipe()
        self._transport: asyncio.ReadTransport | None = None

    async def watch(self) -> None:
        reader = os.fdopen(self._read, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self.collector, reader)

    def close_write(self) -> None:
        """Close our copy of the writing end, once: the number may be somebody else's by then."""
        if self.write >= 0:
            descriptor, self.write = self.write, -1
            os.close(descriptor)

    async def close(self) -> None:
        """Stop watching, and wait until the event loop has let go of the pipe."""
        if self._transport is None:
            os.close(self._read)
        else:
            self._transport.close()
            await self.collector.closed.wait()


def kill_group(pid: int, sig: int = signal.SIGKILL) -> None:
    """Signal the process group that `pid` leads; a group that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, sig)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a child's whole group: a polite signal first, then the certain one."""
    kill_group(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _TERM_GRACE_S)
    except TimeoutError:
        pass
    finally:  # being cancelled (again) shortens the polite part alone
        kill_group(process.pid)
        await process.wait()  # which is at once now; unawaited, it would never be reaped


async def _start(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], out: _Pipe, err: _Pipe
) -> asyncio.subprocess.Process:
    """Start a child in its own group, which is ended when we are cancelled half way."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out.write,
            stderr=err.write,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio itself would kill the child alone, and not what that has started already.
        with contextlib.suppress(OSError, ValueError):
            await _end(await starting)
        raise


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,  # noqa: ASYNC109 - the child must be killed, not abandoned
    output_limit: int,
) -> Completed:
    """Run `argv` and return what it left; its process group is gone afterwards.

    Args:
        argv: Program (a path) and arguments.
        cwd: Working directory.
        env: The whole environment of the child.
        timeout: Seconds before the group is killed; None for no limit.
        output_limit: Bytes kept of each stream.
    """
    started = time.perf_counter()
    out, err = _Pipe(output_limit), _Pipe(output_limit)
    try:
        await out.watch()
        await err.watch()
        process = await _start(argv, cwd, env, out, err)
        # From here the group must not outlive us, whatever happens.
        timed_out = await _wait(process, out, err, timeout)
    finally:
        out.close_write()
        err.close_write()
        await out.close()
        await err.close()
    return Completed(
        exit_code=process.returncode if process.returncode is not None else -signal.SIGKILL,
        stdout=out.collector.data,
        stderr=err.collector.data,
        argv=tuple(argv),
        duration=time.perf_counter() - started,
        timed_out=timed_out,
        cut=out.collector.cut or err.collector.cut,
    )


async def _wait(
    process: asyncio.subprocess.Process,
    out: _Pipe,
    err: _Pipe,
    timeout: float | None,  # noqa: ASYNC109 - see run_process
) -> bool:
    """Wait for the child, then briefly for its output; return whether it ran out of time."""
    out.close_write()
    err.close_write()
    timed_out = False
    try:
        await asyncio.wait_for(process.wait(), timeout)
    except TimeoutError:
        timed_out = True
    finally:
        if process.returncode is None:
            await _end(process)
    closed = asyncio.gather(out.collector.closed.wait(), err.collector.closed.wait())
    try:
        # The child is gone; only a grandchild that kept the pipe can hold this up.
        await asyncio.wait_for(asyncio.shield(closed), _DRAIN_GRACE_S)
    except TimeoutError:
        kill_group(process.pid)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closed, _DRAIN_GRACE_S)
    finally:
        kill_group(process.pid)
    return timed_out
