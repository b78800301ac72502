"""Replies that grow together: one pass of the model gives each of them its next token.

A reply knows what is written and when it ends; `drafting.begin` gives it its first tokens, a `Batch` the
others. Decoding is greedy: the likeliest token that may come next is taken, and nothing is drawn by chance.
Among another number of rows a reply's last bits differ, though, which may decide between tokens that are
nearly equally likely.

A reply that grows alone is guessed at: programs and answers copy names, lines and whole programs that were
said before. What followed the same tokens there is looked at in one pass and kept as far as the model would
write it itself (prompt lookup decoding: Saxena, 2023; `drafting` says why that changes nothing).

Covered: models whose caches mlx-lm can merge. Not covered: sampling; guesses for several replies at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Literal, Protocol

from punie_agent.constrain import Deviation
from punie_train.mlx import mx

STUCK_TOKENS = 96
"""A reply that ends in so many tokens of one sequence, four times or more, is ended as too long."""


class Passes(Protocol):
    """Passes of a model over the tokens of conversations."""

    def new_cache(self) -> list[Any]:
        """Return the cache of a conversation that has not begun."""
        ...

    def look(self, parts: Sequence[tuple[Sequence[int], list[Any], int]]) -> Sequence[Any]:
        """Read tokens, and return what may follow some of them.

        Args:
            parts: for each conversation the tokens, its cache, which is added to, and after how many of the
                last tokens logits are wanted.

        Returns:
            For each conversation logits of shape (wanted, vocabulary).
        """
        ...

    def new_batch(self) -> Replies:
        """Return an empty batch."""
        ...


class Replies(Protocol):
    """Replies that are written at the same time."""

    replies: list[Reply]

    def join(self, reply: Reply, cache: list[Any]) -> None:
        """Let a reply that has begun go on here; the cache holds what it has `seen`, and is used up."""
        ...

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Write at least a token more of every reply; return those that ended, with their caches."""
        ...


SAME_TOKENS = 3
"""What is said after so many tokens is guessed to be what was said after the same ones before."""
GUESSED_TOKENS = 15
"""Tokens that are guessed: with the one before them 16, which MKL multiplies as fast as 8."""


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
        others: earlier replies that it may be like.
    """

    prompt: list[int]
    limit: int
    ends: frozenset[int]
    keep: Callable[[Any, Any], Any] | None = None
    deviation: Deviation | None = None
    written: list[int] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None
    others: Sequence[Sequence[int]] = ()

    @property
    def last(self) -> int:
        """The token that the model is to see next."""
        return self.written[-1] if self.written else self.prompt[-1]

    @property
    def seen(self) -> list[int]:
        """The tokens that a cache holds when this reply leaves: all but one that was never looked at."""
        tokens = [*self.prompt, *self.written]
        return tokens if self.finish == "stop" else tokens[:-1]

    def go_on(self, logits: Any) -> int:
        """Write the likeliest token that may follow the last one, and return it.

        Args:
            logits: of the whole vocabulary, as an array of MLX or NumPy.
        """
        if self.keep is not None:
            logits = self.keep(mx.array([self.last]), mx.array(logits)[None])[0]
        token = int(logits.argmax().item())
        if token in self.ends:
            self.finish = "stop"
            return token
        self.written.append(token)
        if len(self.written) >= self.limit or is_stuck(self.written):
            self.finish = "length"
        return token


def guessed(reply: Reply) -> list[int]:
    """Return what a reply may go on with: what followed its last tokens where they were said before.

    The conversation comes before other replies, and what was said last before what was said first.
    """
    tokens = [*reply.prompt, *reply.written]
    last = tokens[-SAME_TOKENS:]
    if end := _last_place(tokens, last, len(tokens) - 1):
        return list(islice(cycle(tokens[end:]), GUESSED_TOKENS))  # on and on, where it is a circle
    for other in reversed(reply.others):
        if end := _last_place(other, last, len(other) - 1):
            return list(other[end : end + GUESSED_TOKENS])
    return []


def _last_place(tokens: Sequence[int], wanted: list[int], longest: int) -> int:
    """Return where some tokens end the last time, at most so far from the start; 0 where they do not."""
    size = len(wanted)
    return next(
        (
            end
            for end in range(longest, SAME_TOKENS - 1, -1)
            if tokens[end - 1] == wanted[-1] and list(tokens[end - size : end]) == wanted
        ),
        0,
    )


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


def accept(logits: Any, cache: list[Any], reply: Reply, guess: Sequence[int]) -> None:
    """Write what logits agree with in a guess, and the token after that; shorten the cache by the rest."""
    agreed = 0
    while reply.go_on(logits[agreed]) in guess[agreed : agreed + 1] and reply.finish is None:
        agreed += 1
    if agreed < len(guess):
        for layer in cache:
            layer.trim(len(guess) - agreed)


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

    def join(self, reply: Reply, cache: list[Any]) -> None:
        """Let a reply that has begun go on here; the cache holds what it has `seen`, and is used up."""
        self.replies.append(reply)
        self._joining.append(cache)

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Write a token more of every reply; return those that ended, with their caches.

        Of one that grows alone, as many as were guessed rightly are written.
        """
        if not self.replies:
            return []
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
