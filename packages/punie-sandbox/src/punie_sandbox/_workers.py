"""Worker processes, and the checkers that several sandboxes share."""

from __future__ import annotations

import atexit
import functools
import time
from types import TracebackType
from typing import Self

from pydantic_monty import AsyncMonty, MontyError

from punie_sandbox._checker import Checker
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox.errors import SandboxClosedError

__all__ = ["Workers"]

_SETTLE_SECONDS = 0.02
_CHECKERS = 2
_CHECKOUT_SECONDS = 60.0


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

    A sandbox has workers of its own unless it is given these. Sharing them bounds the number of processes,
    and sandboxes with the same functions share one checker.

    Args:
        sessions: how many sandboxes can hold variables at the same time; a further one waits.
    """

    def __init__(self, sessions: int = 8) -> None:
        if sessions < 1:
            raise ValueError(f"sessions must be at least 1, not {sessions}")
        self.sessions = sessions
        self._pool: AsyncMonty | None = None
        self._checkers: dict[str, Checker] = {}

    async def __aenter__(self) -> Self:
        _settle_at_exit()
        pool = AsyncMonty(
            min_processes=1,
            max_processes=self.sessions + _CHECKERS,
            checkout_timeout=_CHECKOUT_SECONDS,
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

    @property
    def pool(self) -> AsyncMonty:
        """The pool.

        Raises:
            SandboxClosedError: outside the `async with` block.
        """
        if self._pool is None:
            raise SandboxClosedError("use it inside its `async with` block")
        return self._pool

    async def checker(self, functions: ExternalFunctions) -> Checker:
        """The checker for these functions; the least recently made one gives way when there are too many."""
        digest = functions.digest()
        if digest not in self._checkers:
            while len(self._checkers) >= _CHECKERS:
                await self._checkers.pop(next(iter(self._checkers))).close()
            self._checkers[digest] = Checker(self.pool, functions)
        return self._checkers[digest]
