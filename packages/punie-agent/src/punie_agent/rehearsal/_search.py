"""The order in which other edits are asked for: by turns for each line that may be the wrong one.

A small model is often surest of the wrong line, and what it would write there instead comes before any other
line when replies are asked for from the likeliest on. So the search goes through a few lines, and through a
few edits of each: a beam that is kept diverse by what is edited (as in Vijayakumar et al., 2018).
"""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from punie_agent.constrain import Deviation
from punie_agent.constrain._literal import LONGEST_KEPT

if TYPE_CHECKING:
    from punie_agent.models import ModelReply
    from punie_agent.rehearsal._trial import Outcome

__all__ = ["Search"]

_LIKELY = (0.3, 0.1, 0.01, 0.001)
"""How likely another token must be, beside the likeliest, for a reply to part from those before; in turn.

A step that leads nowhere new costs a whole reply, so there are few."""
_LINES = 3
"""How many lines are tried."""
_AT_A_TIME = 2
"""How many edits of a line are tried before those of the next one."""


@dataclass(frozen=True)
class _Edit:
    """What a program replaces, and by what."""

    old: str
    new: str


def _edit_in(code: str | None) -> _Edit | None:
    """The first replacement of one line by another in a program; None where there is none.

    A text that is longer than a line counts as none: replies are not held to it.
    """
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
                return _Edit(old, new) if len(old) < LONGEST_KEPT else None
    return None


@dataclass
class _Line:
    """A text that was to be replaced, and how unlikely an edit of it may be by now; "" for any edit."""

    text: str
    asked: int = 0


class Search:
    """Looks for a reply that goes well among those that a model might have given as well.

    Args:
        first: the reply that it gave.
        outcome: what that would lead to.
        ask: asks for another reply.
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
        ask: Callable[[Deviation], Awaitable[ModelReply]],
        judge: Callable[[ModelReply], Awaitable[Outcome | None]],
        code_of: Callable[[str], str | None],
        attempts: int,
    ) -> None:
        self.best, self.outcome = first, outcome
        self.given, self.judged = [first], 1
        self._ask, self._judge, self._code_of = ask, judge, code_of
        self._attempts = attempts
        edit = self._edit(first)
        self._lines = [_Line("" if edit is None else edit.old)]
        self._all_lines = edit is None

    async def run(self) -> None:
        """Ask for other replies until one goes well, or nothing new is to be had.

        Raises:
            ModelError: the model fails; what there is so far stays.
        """
        while not self._done:
            so_far = self.judged, len(self._lines)
            for line in self._lines:
                for _ in range(_AT_A_TIME):
                    if not self._done and not await self._another_of(line):
                        break
            if not self._done:
                await self._another_line()
            if so_far == (self.judged, len(self._lines)):
                return

    @property
    def _done(self) -> bool:
        return self.outcome.good or self.judged >= self._attempts

    @property
    def _texts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reply.text for reply in self.given))

    async def _another_of(self, line: _Line) -> bool:
        """Judge another edit of a line; False where there is none that is likely enough."""
        while line.asked < len(_LIKELY):
            deviation = Deviation(self._texts, _LIKELY[line.asked], line=line.text)
            new, reply = await self._given(deviation)
            if new and await self._is_judged(reply):
                return True
            line.asked += 1
        return False

    async def _another_line(self) -> None:
        """Judge an edit of a line that was not tried yet, if there is one."""
        if self._all_lines:
            return
        known = tuple(line.text for line in self._lines)
        new, reply = await self._given(Deviation(self._texts, _LIKELY[0], elsewhere=known))
        edit = self._edit(reply)
        if edit is not None and edit.old not in known:
            self._lines.append(_Line(edit.old))
        self._all_lines = len(self._lines) in {len(known), _LINES}
        if new:
            await self._is_judged(reply)

    async def _given(self, deviation: Deviation) -> tuple[bool, ModelReply]:
        """Ask for a reply; tell whether it is another than those before."""
        before = self._texts
        reply = await self._ask(deviation)
        self.given.append(reply)
        return reply.text not in before, reply

    def _edit(self, reply: ModelReply) -> _Edit | None:
        return _edit_in(self._code_of(reply.text))

    async def _is_judged(self, reply: ModelReply) -> bool:
        """Judge a reply, unless it replaces a text by itself: that changes nothing."""
        edit = self._edit(reply)
        if edit is not None and edit.old == edit.new:
            return False
        self.judged += 1
        found = await self._judge(reply)
        if found is not None and found < self.outcome:
            self.best, self.outcome = reply, found
        return True
