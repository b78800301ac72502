"""One worker process in use: an interpreter session, and the place it takes among the workers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import os
import signal
import sys
from collections.abc import Awaitable
from typing import Any

from pydantic_monty import AsyncMonty, AsyncMontySession, MontyError

from punie_sandbox.errors import BusyError

__all__ = ["Worker", "begin_feed", "kill_process"]

_TRACING = "opentelemetry"


class Worker:
    """A checked-out worker; `give_back` frees it and its place."""

    def __init__(self, session: AsyncMontySession, place: asyncio.Semaphore) -> None:
        self.session = session
        self.pid = session.worker_pid
        self._place = place

    @classmethod
    async def take(
        cls, pool: AsyncMonty, place: asyncio.Semaphore, patience: float, **options: Any
    ) -> Worker:
        """Wait for a place, and check a worker out of the pool.

        Args:
            pool: the worker processes.
            place: how many may be in use for this purpose; who came first is served first.
            patience: seconds to wait.
            options: of the checkout.

        Raises:
            BusyError: none became free in time.
        """
        try:
            async with asyncio.timeout(patience):
                await place.acquire()
        except TimeoutError:
            raise BusyError(
                f"no worker became free within {patience:g} s; close sandboxes that are done with, "
                "or give `Workers` more sessions"
            ) from None
        try:
            return cls(await pool.checkout(**options).__aenter__(), place)
        except TimeoutError as error:
            place.release()
            raise BusyError(str(error)) from None
        except BaseException:
            place.release()
            raise

    async def give_back(self, *, kill: bool = False) -> None:
        """Free the worker.

        Args:
            kill: end its process first, because it may still be busy.
        """
        if kill and self.pid is not None:
            kill_process(self.pid)
        try:
            with contextlib.suppress(MontyError, RuntimeError):  # it is gone, which is as well
                await self.session.__aexit__(None, None, None)
        finally:
            self._place.release()


def begin_feed(session: AsyncMontySession, code: str, **options: Any) -> Awaitable[Any]:
    """`session.feed_start`, without its search for a tracing library that is not there.

    pydantic-monty 1.4.0 imports opentelemetry at each feed. A failed import is not remembered, so that Python
    searches its whole path every time, which took longer than the rest of a short run.
    """
    if _TRACING in sys.modules or _can_trace():
        return session.feed_start(code, **options)
    modules: dict[str, Any] = sys.modules
    modules[_TRACING] = None  # "known not to exist", for the moment of the call
    try:
        return session.feed_start(code, **options)
    finally:
        modules.pop(_TRACING, None)


@functools.cache
def _can_trace() -> bool:
    return importlib.util.find_spec(_TRACING) is not None


def kill_process(pid: int) -> None:
    """End a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
