"""Worker processes, and the checkers that several sandboxes share."""

from __future__ import annotations

import asyncio
import atexit
import functools
import time
from types import TracebackType
from typing import Any, Self

from pydantic_monty import AsyncMonty, MontyError

from punie_sandbox._checker import Checker
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._worker import Worker
from punie_sandbox.errors import SandboxClosedError
from punie_sandbox.records import Diagnostic

__all__ = ["Workers"]

_SETTLE_SECONDS = 0.02
_CHECKERS = 2
_PLANS = 2
_KEPT_CHECKERS = 8


@functools.cache
def _settle_at_exit() -> None:
    """Let the runtime's threads come to rest before the interpreter is torn down.

    Measured with pydantic-monty 1.4.0: a process that ends right after its last reply aborts (SIGABRT or
    SIGBUS) in 4 to 13 of 60 cases, because a runtime thread still asks for the interpreter lock; after one
    millisecond of rest, in 0 of 60.
    """
    atexit.register(time.sleep, _SETTLE_SECONDS)


class Workers:
    """Worker processes for many sandboxes, as an async context manager.

    A sandbox has workers of its own unless it is given these. Sharing them bounds the number of processes
    (the sessions, two checkers and two plans), and sandboxes with the same functions share one checker.

    Args:
        sessions: how many sandboxes can hold variables at the same time; a further one waits for its turn.
        patience: seconds a sandbox waits before `BusyError`.
    """

    def __init__(self, sessions: int = 8, *, patience: float = 60.0) -> None:
        if sessions < 1:
            raise ValueError(f"sessions must be at least 1, not {sessions}")
        self.sessions = sessions
        self.patience = patience
        self._pool: AsyncMonty | None = None
        self._checkers: dict[str, Checker] = {}
        self._wanted = 0
        # A plan needs a second session while its sandbox holds one. With places of their own, sandboxes that
        # all hold one and all plan cannot wait for each other.
        self._for_sessions = asyncio.Semaphore(sessions)
        self._for_plans = asyncio.Semaphore(_PLANS)
        self._for_checkers = asyncio.Semaphore(_CHECKERS)

    async def __aenter__(self) -> Self:
        _settle_at_exit()
        pool = AsyncMonty(
            min_processes=1,
            max_processes=self.sessions + _PLANS + _CHECKERS,
            checkout_timeout=self.patience,
        )
        self._pool = await pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for checker in self._checkers.values():
            await checker.close()
        self._checkers.clear()
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await pool.__aexit__(None, None, None)
            except MontyError:  # a worker died while being put away, which is what was wanted
                return

    def _open_pool(self) -> AsyncMonty:
        if self._pool is None:
            raise SandboxClosedError("use it inside its `async with` block")
        return self._pool

    async def take(self, *, planning: bool = False, **options: Any) -> Worker:
        """A worker for a session.

        Raises:
            BusyError: none became free in time.
            SandboxClosedError: outside the `async with` block.
        """
        place = self._for_plans if planning else self._for_sessions
        return await Worker.take(self._open_pool(), place, self.patience, **options)

    async def check(
        self,
        functions: ExternalFunctions,
        code: str,
        names: frozenset[str] = frozenset(),
        suspending: frozenset[str] = frozenset(),
    ) -> tuple[Diagnostic, ...]:
        """The findings of `Checker.check`, by the checker for these functions."""
        return await self.checker(functions).check(code, names, suspending)

    def checker(self, functions: ExternalFunctions) -> Checker:
        """The checker for these functions; those that were not used for long are forgotten."""
        self._open_pool()
        digest = functions.digest()
        checker = self._checkers.pop(digest, None)
        if checker is None:
            checker = Checker(self, functions)
            for old in [key for key, each in self._checkers.items() if not each.warm]:
                if len(self._checkers) >= _KEPT_CHECKERS:
                    del self._checkers[old]
        self._checkers[digest] = checker
        return checker

    @property
    def wanted(self) -> bool:
        """Whether a checker waits for a worker, so that another one should not keep its own warm."""
        return self._wanted > 0

    async def take_for_checker(self, **options: Any) -> Worker:
        """A worker for a checker; the one that was idle for longest gives its own up for it."""
        if self._for_checkers.locked():
            idle = next((each for each in self._checkers.values() if each.warm and each.idle), None)
            if idle is not None:
                await idle.close()
        self._wanted += 1
        try:
            return await Worker.take(
                self._open_pool(), self._for_checkers, self.patience, **options
            )
        finally:
            self._wanted -= 1
