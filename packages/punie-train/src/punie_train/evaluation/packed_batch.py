"""Replies of one batch, each of which reads and writes in a pass as much as it can.

One still reads its prompt while another writes. Each is guessed at, with fewer tokens the more they are.

Covered: passes whose conversations have caches of their own that can be shortened
(`punie_train.evaluation.packed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from punie_train.evaluation.decoding import (
    FIRST_TOKENS,
    JOINED_TOKENS,
    MORE_TOKENS,
    PROMPT_TOKENS,
    Passes,
    Reply,
    accept,
    guessed,
)

__all__ = ["PackedBatch"]

TOKENS_AT_ONCE = 24
"""Tokens of a pass, guessed ones included, up to which each costs little beside reading the weights."""


class PackedBatch:
    """Replies that are written at the same time, each with guesses of its own.

    Args:
        passes: of the model that writes them.
    """

    def __init__(self, passes: Passes) -> None:
        self.replies: list[Reply] = []
        self._passes = passes
        self._going: dict[Reply, _Going] = {}

    def join(
        self, reply: Reply, cache: list[Any], rest: Sequence[int], draft: Sequence[int] = ()
    ) -> None:
        """Let a reply be written here; see `Replies.join`."""
        self.replies.append(reply)
        self._going[reply] = _Going(cache, list(rest), list(draft))

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Read of every prompt as much as one pass takes, and of those that were read write on.

        Of a reply as much is written as was guessed rightly, and a token. Those that ended are returned.
        """
        if not self.replies:
            return []
        room = max(TOKENS_AT_ONCE // len(self.replies) - 1, 0)
        going = [(reply, self._going[reply]) for reply in self.replies]
        next_ones = [each.next(reply, room) for reply, each in going]
        logits = self._passes.look([part for part, _ in next_ones])
        for (reply, each), (part, guess), found in zip(going, next_ones, logits, strict=True):
            if part[2]:
                accept(found, each.cache, reply, guess)
        ended = [reply for reply in self.replies if reply.finish]
        self.replies = [reply for reply in self.replies if not reply.finish]
        return [(reply, self._going.pop(reply).cache) for reply in ended]


@dataclass
class _Going:
    """How far a reply is: what of its prompt is to be read, and what it may turn out to be."""

    cache: list[Any]
    rest: list[int]
    draft: list[int]

    def next(self, reply: Reply, room: int) -> tuple[tuple[list[int], list[Any], int], list[int]]:
        """Return its part of the next pass, and the guess at its end."""
        if len(self.rest) > JOINED_TOKENS:  # the end is read together with a guess
            read = min(len(self.rest) - JOINED_TOKENS, PROMPT_TOKENS)
            now, self.rest = self.rest[:read], self.rest[read:]
            return (now, self.cache, 0), []
        now, self.rest = self.rest or [reply.last], []
        guess = self._drafted(reply) or guessed(reply)[:room]
        return ([*now, *guess], self.cache, len(guess) + 1), guess

    def _drafted(self, reply: Reply) -> list[int]:
        """Return the next tokens of the draft, as long as it is what was written."""
        done = len(reply.written)
        if self.draft and reply.written != self.draft[:done]:
            self.draft = []
        return self.draft[done : done + (MORE_TOKENS if done else FIRST_TOKENS)]
