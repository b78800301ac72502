"""Replies that grow together: one pass of the model gives each of them its next token.

A reply knows what is written and when it ends. Decoding is greedy: the likeliest token that may come next is
taken, and nothing is drawn by chance. Among another number of rows a reply's last bits differ, though, which
may decide between tokens that are nearly equally likely.

Replies are guessed at: programs and answers copy names, lines and whole programs that were
said before. What followed the same tokens there is looked at in one pass and kept as far as the model would
write it itself (prompt lookup decoding: Saxena, 2023; `drafting` says why that changes nothing).

Covered: what a reply is and how it goes on. Who computes: `mlx_decoding` and `packed`. Not covered: sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Literal, Protocol

from punie_agent.constrain import LogitsProcessor
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

    def join(
        self, reply: Reply, cache: list[Any], rest: Sequence[int], draft: Sequence[int] = ()
    ) -> None:
        """Let a reply be written here.

        Args:
            reply: the reply, with no more written than it was asked to begin with.
            cache: holds the beginning of its prompt, and is used up.
            rest: the end of its prompt, and what is written; at least one token.
            draft: what it may turn out to be.
        """
        ...

    def step(self) -> list[tuple[Reply, list[Any]]]:
        """Write at least a token more of every reply; return those that ended, with their caches."""
        ...


PROMPT_TOKENS = 256
"""Tokens of a prompt computed in one pass; more would take more memory and no less time."""
JOINED_TOKENS = 16
"""The end of a prompt, which is computed in one pass with what follows: on a CPU a pass costs about the same
for one token and for these, and a pass of its own would cost it again."""
FIRST_TOKENS, MORE_TOKENS = 16, 64
"""Tokens of a draft looked at in the first pass and in each later one: wrong drafts are mostly wrong soon."""
SAME_TOKENS = 3
"""What is said after so many tokens is guessed to be what was said after the same ones before."""
GUESSED_TOKENS = 15
"""Tokens that are guessed: with the one before them 16, which MKL multiplies as fast as 8."""


def read(passes: Passes, tokens: Sequence[int], cache: list[Any]) -> None:
    """Add tokens to a conversation's cache, as many in one pass as are worth it."""
    for start in range(0, len(tokens), PROMPT_TOKENS):
        passes.look([(tokens[start : start + PROMPT_TOKENS], cache, 0)])


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
        start: what the constraint has it begin with, where another reply is asked for.
        written: its tokens so far.
        finish: why it ended: by itself, or too long; None while it goes on.
        others: earlier replies that it may be like.
    """

    prompt: list[int]
    limit: int
    ends: frozenset[int]
    keep: LogitsProcessor | None = None
    start: str = ""
    written: list[int] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None
    others: Sequence[Sequence[int]] = ()

    @property
    def last(self) -> int:
        """The token that the model is to see next."""
        return self.written[-1] if self.written else self.prompt[-1]

    @property
    def tokens(self) -> list[int]:
        """All that is known of the conversation: its prompt, and what is written."""
        return [*self.prompt, *self.written]

    @property
    def seen(self) -> list[int]:
        """The tokens that a cache holds when this reply leaves: all but one that was never looked at."""
        return self.tokens if self.finish == "stop" else self.tokens[:-1]

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
    tokens = reply.tokens
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


def accept(logits: Any, cache: list[Any], reply: Reply, guess: Sequence[int]) -> None:
    """Write what logits agree with in a guess, and the token after that; shorten the cache by the rest."""
    agreed = 0
    while reply.go_on(logits[agreed]) in guess[agreed : agreed + 1] and reply.finish is None:
        agreed += 1
    if agreed < len(guess):
        for layer in cache:
            layer.trim(len(guess) - agreed)
