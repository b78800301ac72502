"""The order in which other edits are asked for: the likeliest of all that are known, line after line.

Each reply says how else it could have gone on, and at what loss. What was lost on the way there is added, and
the way that lost least is taken next: a best-first search. A small model is often surest of the wrong line,
though, and what it would write there instead would come before any other line. So a way counts as less likely
for each edit of its line that was tried before, which goes through lines and edits of them by turns (a beam
that is kept diverse by what is edited, as in Vijayakumar et al., 2018).

Where a model replaces whole lines of what it was shown, its other edits are held to that, too: a piece of a
line is often likely, because it was copied so far, and hardly ever what is wrong.

Before all of them come names that are nearly what the check does not know (see `_spelling`), and after those
that the model is in two minds about, annotations that would agree with what the check found (`_annotation`).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from punie_agent.constrain import Alternative
from punie_agent.rehearsal._annotation import agreeing
from punie_agent.rehearsal._edit import Edit, edit_in, write_edit
from punie_agent.rehearsal._spelling import respelt

if TYPE_CHECKING:
    from punie_agent.models import ModelReply
    from punie_agent.rehearsal._ahead import Ahead
    from punie_agent.rehearsal._trial import Outcome

__all__ = ["Search"]

_TRIED = 1.5
"""What is added to the loss of a way for each edit of its line that was tried."""
_SAID = 3.0
"""What an annotation loses that agrees with the check: it is often the code that is wrong."""
_NEXT = 4
"""How many of the likeliest ways are asked for at once, where the model can do that."""
_ASKED = 3
"""How many replies are asked for, for each that may be judged: some turn out to be no attempt."""


class Search:
    """Looks for a reply that goes well among those that a model might have given as well.

    Args:
        first: the reply that it gave.
        outcome: what that would lead to.
        ahead: asks for a reply that begins so.
        judge: what a reply would lead to; None where that cannot be told.
        code_of: the program in a reply's text.
        said: the messages of the conversation; the last one is what the check found.
        files: the texts of the files that are edited.
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
        ahead: Ahead,
        judge: Callable[[ModelReply], Awaitable[Outcome | None]],
        code_of: Callable[[str], str | None],
        said: Sequence[str],
        files: Sequence[str],
        attempts: int,
    ) -> None:
        self.best, self.outcome = first, outcome
        self.given, self.judged = [first], 1
        self._ahead, self._judge, self._code_of = ahead, judge, code_of
        self._attempts = attempts
        self._ways: dict[str, Alternative] = {}
        self._taken = set[str]()
        self._tried = Counter[str]()
        edit = self._edit(first)
        lines = {line.strip() for each in said for line in each.splitlines()} - {""}
        self._lines: Collection[str] = lines if edit is not None and edit.old in lines else ()
        self._ways |= {way.start: way for way in self._told(first, edit, said, files)}
        self._learn(first, 0.0)

    async def run(self) -> None:
        """Ask for other replies until one goes well, or no way is left.

        Raises:
            ModelError: the model fails; what there is so far stays.
        """
        async with self._ahead as ahead:
            while not self._done and self._ways:
                likeliest = heapq.nsmallest(_NEXT, self._ways, key=self._cost)
                way = self._ways.pop(likeliest[0])
                self._taken.add(way.start)
                reply = await ahead.reply(likeliest)
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
        return way.loss + (_TRIED * self._tried[way.line] if way.settled else 0.0)

    def _learn(self, reply: ModelReply, lost: float) -> None:
        """Take note of the line that a reply edits, and of the ways that it leaves open."""
        edit = self._edit(reply)
        if edit is not None:
            self._tried[edit.old] += 1
        if self._strays(edit):
            return  # its ways lead further astray
        for each in reply.alternatives:
            same = reply.text.startswith(each.start)  # in other tokens
            if not same and each.start not in self._taken and self._fits(each):
                self._ways.setdefault(each.start, replace(each, loss=lost + each.loss))

    def _fits(self, way: Alternative) -> bool:
        """True unless it replaces a piece of a line where whole lines are replaced."""
        if not self._lines or not way.line:
            return True
        if way.settled:
            return way.line in self._lines
        return any(line.startswith(way.line) for line in self._lines)

    def _edit(self, reply: ModelReply) -> Edit | None:
        return edit_in(self._code_of(reply.text))

    def _told(
        self, reply: ModelReply, edit: Edit | None, said: Sequence[str], files: Sequence[str]
    ) -> list[Alternative]:
        """The ways that follow from what the check says, however sure the model was."""
        code = self._code_of(reply.text)
        if edit is None or code is None or not said:
            return []
        names = respelt(reply.text, code, edit, found=said[-1], files=files)
        lines = agreeing(said[-1], files)
        edits = [(write_edit(reply.text, code, edit, *line), line[0]) for line in lines]
        return [
            *(Alternative(start, 0.0, old) for start, old in names),
            *(Alternative(start, _SAID, old, settled=True) for start, old in edits if start),
        ]

    async def _try(self, reply: ModelReply) -> None:
        """Judge a reply, unless it strays, or replaces a text by itself: neither is an attempt."""
        edit = self._edit(reply)
        if self._strays(edit) or (edit is not None and edit.old == edit.new):
            return
        self.judged += 1
        found = await self._judge(reply)
        if found is not None and found < self.outcome:
            self.best, self.outcome = reply, found

    def _strays(self, edit: Edit | None) -> bool:
        """True where whole lines are replaced, and this replaces none."""
        return bool(self._lines) and (edit is None or edit.old not in self._lines)
