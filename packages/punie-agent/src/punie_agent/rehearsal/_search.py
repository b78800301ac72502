"""The order in which other edits are asked for: the likeliest of all that are known, line after line.

Each reply says how else it could have gone on, and at what loss. What was lost on the way there is added, and
the way that lost least is taken next: a best-first search. A small model is often surest of the wrong line,
though, and what it would write there instead would come before any other line. So a way counts as less likely
for each edit of its line that was tried before, which goes through lines and edits of them by turns (a beam
that is kept diverse by what is edited, as in Vijayakumar et al., 2018).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from punie_agent.constrain import Alternative

if TYPE_CHECKING:
    from punie_agent.models import ModelReply
    from punie_agent.rehearsal._trial import Outcome

__all__ = ["Search"]

_TRIED = 1.5
"""What is added to the loss of a way for each edit of its line that was tried."""
_ASKED = 3
"""How many replies are asked for, for each that may be judged: some turn out to be no attempt."""


@dataclass(frozen=True)
class _Edit:
    """What a program replaces, and by what."""

    old: str
    new: str


def _edit_in(code: str | None) -> _Edit | None:
    """The first replacement of one text by another in a program; None where there is none."""
    try:
        tree = ast.parse(code or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="replace"),
                args=[ast.Constant(value=str(old)), ast.Constant(value=str(new)), *_],
            ):
                return _Edit(old, new)
    return None


class Search:
    """Looks for a reply that goes well among those that a model might have given as well.

    Args:
        first: the reply that it gave.
        outcome: what that would lead to.
        ask: asks for a reply that begins so.
        judge: what a reply would lead to; None where that cannot be told.
        code_of: the program in a reply's text.
        attempts: the most replies that are judged, the first included.

    Attributes:
        best: the best reply so far.
        outcome: what it would lead to.
        given: all replies.
        judged: how many different ones were judged.
    """

    def __init__(
        self,
        first: ModelReply,
        outcome: Outcome,
        *,
        ask: Callable[[str], Awaitable[ModelReply]],
        judge: Callable[[ModelReply], Awaitable[Outcome | None]],
        code_of: Callable[[str], str | None],
        attempts: int,
    ) -> None:
        self.best, self.outcome = first, outcome
        self.given, self.judged = [first], 1
        self._ask, self._judge, self._code_of = ask, judge, code_of
        self._attempts = attempts
        self._ways: dict[str, Alternative] = {}
        self._tried = Counter[str]()
        self._learn(first, 0.0)

    async def run(self) -> None:
        """Ask for other replies until one goes well, or no way is left.

        Raises:
            ModelError: the model fails; what there is so far stays.
        """
        while not self._done and self._ways:
            way = self._ways.pop(min(self._ways, key=self._cost))
            reply = await self._ask(way.start)
            known = {each.text for each in self.given}
            self.given.append(reply)
            self._learn(reply, way.loss)
            if reply.text not in known:
                await self._try(reply)

    @property
    def _done(self) -> bool:
        spent = self.judged >= self._attempts or len(self.given) >= self._attempts * _ASKED
        return self.outcome.good or spent

    def _cost(self, start: str) -> float:
        way = self._ways[start]
        return way.loss + (_TRIED * self._tried[way.line] if way.line else 0.0)

    def _learn(self, reply: ModelReply, lost: float) -> None:
        """Take note of the ways that a reply leaves open, and of the line that it edits."""
        edit = self._edit(reply)
        if edit is not None:
            self._tried[edit.old] += 1
        for each in reply.alternatives:
            self._ways.setdefault(each.start, replace(each, loss=lost + each.loss))

    def _edit(self, reply: ModelReply) -> _Edit | None:
        return _edit_in(self._code_of(reply.text))

    async def _try(self, reply: ModelReply) -> None:
        """Judge a reply, unless it replaces a text by itself: that changes nothing."""
        edit = self._edit(reply)
        if edit is not None and edit.old == edit.new:
            return
        self.judged += 1
        found = await self._judge(reply)
        if found is not None and found < self.outcome:
            self.best, self.outcome = reply, found
