"""Replies that MLX writes: caches of one length, and passes of one token for each reply.

A reply that grows alone is guessed at, one of several is not: their caches are one, and what is right of a
guess differs from reply to reply.

Covered: models whose caches mlx-lm can merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from punie_train.evaluation.decoding import (
    FIRST_TOKENS,
    JOINED_TOKENS,
    MORE_TOKENS,
    Passes,
    Reply,
    accept,
    guessed,
    read,
)
from punie_train.mlx import mx

__all__ = ["Batch", "MlxPasses"]


class MlxPasses:
    """Passes that MLX computes.

    Args:
        model: an mlx-lm model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def new_cache(self) -> list[Any]:
        """Return the cache of a conversation that has not begun."""
        from mlx_lm.models.cache import make_prompt_cache

        return make_prompt_cache(self._model)

    def look(self, parts: Sequence[tuple[Sequence[int], list[Any], int]]) -> list[mx.array]:
        """Read tokens, and return what may follow some of them; see `Passes.look`."""
        return [self._look(*part) for part in parts]

    def _look(self, tokens: Sequence[int], cache: list[Any], wanted: int) -> mx.array:
        logits = self._model(mx.array([tokens]), cache=cache)[0, len(tokens) - wanted :]
        states = [layer.state for layer in cache]
        # Logits that nobody wants are never computed.
        mx.eval(states, logits) if wanted else mx.eval(states)
        return logits

    def new_batch(self) -> Batch:
        """Return an empty batch."""
        return Batch(self._model, self)


class Batch:
    """Replies whose caches are one, filled up to the longest.

    Args:
        model: the mlx-lm model that writes them.
        passes: its passes.
    """

    def __init__(self, model: Any, passes: Passes) -> None:
        self.replies: list[Reply] = []
        self._model = model
        self._passes = passes
        self._cache: list[Any] = []
        self._joining: list[list[Any]] = []
        self._ended: list[tuple[Reply, list[Any]]] = []  # with the draft already

    def join(
        self, reply: Reply, cache: list[Any], rest: Sequence[int], draft: Sequence[int] = ()
    ) -> None:
        """Let a reply be written here; see `Replies.join`."""
        begin(self._passes, cache, rest, reply, draft)
        if reply.finish is None:
            self.replies.append(reply)
            self._joining.append(cache)
        else:
            self._ended.append((reply, cache))

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Write a token more of every reply; return those that ended, with their caches.

        Of one that grows alone, as many as were guessed rightly are written.
        """
        ended, self._ended = self._ended, []
        return [*ended, *self._step()] if self.replies else ended

    def _step(self) -> list[tuple[Reply, list[Any]]]:
        self._merge()
        if len(self.replies) == 1 and all(layer.is_trimmable() for layer in self._cache):
            reply = self.replies[0]
            write_guessed(self._passes, self._cache, reply, [reply.last], guessed(reply))
            return self._leave()
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


def begin(
    passes: Passes, cache: list[Any], rest: Sequence[int], reply: Reply, draft: Sequence[int] = ()
) -> None:
    """Begin a reply: at least its first token, and as much of the draft as the model would write itself.

    Args:
        passes: of the model that writes it.
        cache: the caches of the model's layers; afterwards they hold what the reply has `seen`.
        rest: the end of what is known of it, which the cache does not hold yet; at least one token.
        reply: the reply, with no more written than it was asked to begin with.
        draft: what it may turn out to be.
    """
    alone, unseen = rest[:-JOINED_TOKENS], rest[-JOINED_TOKENS:]
    read(passes, alone, cache)
    draft = list(draft) if all(layer.is_trimmable() for layer in cache) else []
    size = FIRST_TOKENS
    while reply.finish is None:
        done = len(reply.written)
        write_guessed(passes, cache, reply, unseen, draft[done : done + size])
        unseen, done, size = [reply.last], len(reply.written), MORE_TOKENS
        if done >= len(draft) or reply.written != draft[:done]:
            return


def write_guessed(
    passes: Passes, cache: list[Any], reply: Reply, unseen: Sequence[int], guess: Sequence[int]
) -> None:
    """Write what the model agrees with in a guess, and its own token after that.

    Args:
        passes: of the model that writes it.
        cache: the reply's own, which can be shortened.
        reply: what it is written to.
        unseen: the last tokens before the guess, which the cache does not hold.
        guess: what may follow them.
    """
    (logits,) = passes.look([([*unseen, *guess], cache, len(guess) + 1)])
    accept(logits, cache, reply, guess)
