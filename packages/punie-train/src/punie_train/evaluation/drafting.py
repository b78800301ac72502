"""Drafts: what another model answered to the same conversation is checked instead of written anew.

One pass over a draft tells what the model itself would write at each place of it. What agrees is its own
reply, by the rule that it is decoded with: greedy, kept to the constraint, ended where it would be ended.
At the first difference the model's own token is taken, the rest of the draft is forgotten, and decoding goes
on from there. So a draft changes what a reply costs, never what it is.

Covered: remembering replies. Not covered: checking them, which `decoding` does.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from punie_train.evaluation.decoding import Reply


class Drafts:
    """The last reply to each conversation, and to each request for another one, whoever gave it."""

    def __init__(self) -> None:
        self._replies: dict[tuple[tuple[int, ...], str], list[int]] = {}
        self._all: dict[tuple[int, ...], list[list[int]]] = {}
        self._hidden = False

    def remember(self, reply: Reply) -> None:
        """Keep a reply for the next model that is asked the same."""
        prompt = tuple(reply.prompt)
        self._replies[prompt, reply.start] = list(reply.written)
        self._all.setdefault(prompt, []).append(list(reply.written))

    def of(self, reply: Reply) -> list[int]:
        """Return what was written where this reply will be, or was last written in its place.

        The latter is how another reply begins, up to where it parts from those before. Empty where nothing
        was written.
        """
        if self._hidden:
            return []
        latest = [[], *self.given(reply)][-1]
        return self._replies.get((tuple(reply.prompt), reply.start), latest)

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
