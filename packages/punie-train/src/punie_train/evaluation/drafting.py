"""Drafts: what another model answered to the same conversation is checked instead of written anew.

One pass over a draft tells what the model itself would write at each place of it. What agrees is its own
reply, by the rule that it is decoded with: greedy, kept to the constraint, ended where it would be ended.
At the first difference the model's own token is taken, the rest of the draft is forgotten, and decoding goes
on from there. So a draft changes what a reply costs, never what it is.

Covered: remembering replies, and beginning one with a draft or without. Not covered: drafts of caches that
cannot be shortened again (those replies are written token by token).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from punie_agent.constrain import Deviation
from punie_train.evaluation.decoding import Passes, Reply, write_guessed

PROMPT_TOKENS = 256
"""Tokens of a prompt computed in one pass; more would take more memory and no less time."""
JOINED_TOKENS = 16
"""The end of a prompt, which is computed in one pass with what follows: on a CPU a pass costs about the same
for one token and for these, and a pass of its own would cost it again."""
FIRST_TOKENS, MORE_TOKENS = 16, 64
"""Tokens of a draft looked at in the first pass and in each later one: wrong drafts are mostly wrong soon."""


class Drafts:
    """The last reply to each conversation, and to each request for another one, whoever gave it."""

    def __init__(self) -> None:
        self._replies: dict[tuple[tuple[int, ...], Deviation | None], list[int]] = {}
        self._all: dict[tuple[int, ...], list[list[int]]] = {}
        self._hidden = False

    def remember(self, reply: Reply) -> None:
        """Keep a reply for the next model that is asked the same."""
        prompt = tuple(reply.prompt)
        self._replies[prompt, reply.deviation] = list(reply.written)
        self._all.setdefault(prompt, []).append(list(reply.written))

    def of(self, reply: Reply) -> list[int]:
        """Return what was written where this reply will be, or was last written in its place.

        The latter is how another reply begins, up to where it parts from those before. Empty where nothing
        was written.
        """
        if self._hidden:
            return []
        latest = [[], *self.given(reply)][-1]
        return self._replies.get((tuple(reply.prompt), reply.deviation), latest)

    def given(self, reply: Reply) -> list[list[int]]:
        """Return all replies to the conversation that this one answers, in order."""
        return [] if self._hidden else self._all.get(tuple(reply.prompt), [])

    @contextmanager
    def hidden(self) -> Generator[None]:
        """Give no drafts inside the block: what a person waits is measured without."""
        before, self._hidden = self._hidden, True
        try:
            yield
        finally:
            self._hidden = before


def begin(
    passes: Passes, cache: list[Any], rest: Sequence[int], reply: Reply, draft: Sequence[int] = ()
) -> None:
    """Begin a reply: at least its first token, and as much of the draft as the model would write itself.

    Args:
        passes: of the model that writes it.
        cache: the caches of the model's layers; afterwards they hold what the reply has `seen`.
        rest: the end of the reply's prompt, which the cache does not hold yet; at least one token.
        reply: the reply, with nothing written.
        draft: what it may turn out to be.
    """
    alone, joined = rest[:-JOINED_TOKENS], rest[-JOINED_TOKENS:]
    for start in range(0, len(alone), PROMPT_TOKENS):
        passes.look([(alone[start : start + PROMPT_TOKENS], cache, 0)])
    draft = list(draft) if all(layer.is_trimmable() for layer in cache) else []
    size = FIRST_TOKENS
    while reply.finish is None:
        done = len(reply.written)
        unseen = [reply.last] if done else joined
        write_guessed(passes, cache, reply, unseen, draft[done : done + size])
        done, size = len(reply.written), MORE_TOKENS
        if done >= len(draft) or reply.written != draft[:done]:
            return
