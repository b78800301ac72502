"""Replies that grow together: one pass of the model gives each of them its next token.

A reply knows what is written and when it ends; `drafting.begin` gives it its first tokens, a `Batch` the
others. Decoding is greedy: the likeliest token that may come next is taken, and nothing is drawn by chance.
Among another number of rows a reply's last bits differ, though, which may decide between tokens that are
nearly equally likely.

Covered: models whose caches mlx-lm can merge. Not covered: sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from punie_agent.constrain import Deviation
from punie_train.mlx import mx

STUCK_TOKENS = 96
"""A reply that ends in so many tokens of one sequence, four times or more, is ended as too long."""


def is_stuck(tokens: Sequence[int]) -> bool:
    """Tell whether a reply has gone round in a circle for so long that greedy decoding never leaves it.

    Looked at every 16 tokens, so that it costs nothing.
    """
    if len(tokens) < STUCK_TOKENS or len(tokens) % 16:
        return False
    tail = list(tokens[-STUCK_TOKENS:])
    return any(tail[period:] == tail[:-period] for period in range(1, STUCK_TOKENS // 4 + 1))


@dataclass(eq=False)
class Reply:
    """A reply that is being written.

    Attributes:
        prompt: the conversation it answers.
        limit: the most tokens it may have.
        ends: the tokens that end it; they are no part of it.
        keep: a processor of logits that keeps it to a constraint, or None.
        deviation: what the constraint has it not repeat, where another reply is asked for.
        written: its tokens so far.
        finish: why it ended: by itself, or too long; None while it goes on.
    """

    prompt: list[int]
    limit: int
    ends: frozenset[int]
    keep: Callable[[Any, Any], Any] | None = None
    deviation: Deviation | None = None
    written: list[int] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None

    @property
    def last(self) -> int:
        """The token that the model is to see next."""
        return self.written[-1] if self.written else self.prompt[-1]

    @property
    def seen(self) -> list[int]:
        """The tokens that a cache holds when this reply leaves: all but one that was never looked at."""
        tokens = [*self.prompt, *self.written]
        return tokens if self.finish == "stop" else tokens[:-1]

    def go_on(self, logits: mx.array) -> int:
        """Write the likeliest token that may follow the last one, and return it."""
        if self.keep is not None:
            logits = self.keep(mx.array([self.last]), logits[None])[0]
        token = int(mx.argmax(logits).item())  # ty: ignore[invalid-argument-type] - one number
        if token in self.ends:
            self.finish = "stop"
            return token
        self.written.append(token)
        if len(self.written) >= self.limit or is_stuck(self.written):
            self.finish = "length"
        return token


class Batch:
    """Replies that are written at the same time.

    Args:
        model: the mlx-lm model that writes them.
    """

    def __init__(self, model: Any) -> None:
        self.replies: list[Reply] = []
        self._model = model
        self._cache: list[Any] = []
        self._joining: list[list[Any]] = []

    def join(self, reply: Reply, cache: list[Any]) -> None:
        """Let a reply that has begun go on here; the cache holds what it has `seen`, and is used up."""
        self.replies.append(reply)
        self._joining.append(cache)

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Write one more token of every reply; return those that ended, with their caches."""
        if not self.replies:
            return []
        self._merge()
        last = mx.array([[reply.last] for reply in self.replies])
        logits = self._model(last, cache=self._cache)[:, -1]
        mx.eval(logits, [layer.state for layer in self._cache])
        for number, reply in enumerate(self.replies):
            reply.go_on(logits[number])
        return self._leave()

    def _merge(self) -> None:
        """Take in the caches of those who joined, layer by layer, so that no second copy is held."""
        if not self._joining:
            return
        joining, self._joining = self._joining, []
        for number in range(len(joining[0])):
            layers = [cache[number] for cache in joining]
            merged = layers[0].merge(layers)
            if len(self._cache) == number:
                self._cache.append(merged)
            else:
                self._cache[number].extend(merged)
            mx.eval(self._cache[number].state)
            for cache in joining:
                cache[number] = None

    def _leave(self) -> list[tuple[Reply, list[Any]]]:
        ended = [number for number, reply in enumerate(self.replies) if reply.finish]
        if not ended:
            return []
        left = [(self.replies[number], self._extracted(number)) for number in ended]
        going_on = [number for number, reply in enumerate(self.replies) if not reply.finish]
        self.replies = [self.replies[number] for number in going_on]
        if not going_on:
            self._cache = []
        for layer in self._cache:
            layer.filter(going_on)
            mx.eval(layer.state)
        return left

    def _extracted(self, number: int) -> list[Any]:
        cache = [layer.extract(number) for layer in self._cache]
        # Computed now: a lazy slice would keep the whole batch's cache alive.
        mx.eval([layer.state for layer in cache])
        return cache
