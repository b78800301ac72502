"""One worker process in use: an interpreter session, and the place it takes among the workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any

from pydantic_monty import AsyncMonty, AsyncMontySession, MontyError

from punie_sandbox.errors import BusyError

__all__ = ["Worker", "kill_process"]


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


def kill_process(pid: int) -> None:
    """End a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
