"""Replies that are asked for before it is known that they are wanted.

A model that writes four replies in little more than the time of one is asked for the four likeliest ways
at once. Which of them is wanted, and when, is decided as if they were asked for one by one, so a search
finds the same whatever was asked for ahead; what turns out not to be wanted is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from punie_agent.models import ModelReply

__all__ = ["Ahead"]


class Ahead:
    """Asks for replies, the next ones beside the one that is waited for; use it as a context manager.

    Args:
        ask: asks for a reply that begins so.
        room: how many more replies the model can write at next to no cost.
    """

    def __init__(
        self, ask: Callable[[str], Coroutine[Any, Any, ModelReply]], room: Callable[[], int]
    ) -> None:
        self._ask, self._room = ask, room
        self._asked: dict[str, asyncio.Task[ModelReply]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what nobody waits for any more, whatever came of it."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def reply(self, starts: Sequence[str]) -> ModelReply:
        """The reply that begins as the first of some ways; the others are those that may be wanted next.

        Raises:
            ModelError: the model fails at that one.
        """
        first, *later = starts
        new = [start for start in later if start not in self._asked]
        taken = 0 if first in self._asked else 1
        for start in [first, *new[: max(self._room() - taken, 0)]]:
            if start not in self._asked:
                self._asked[start] = asyncio.create_task(self._ask(start))
        return await self._asked.pop(first)
