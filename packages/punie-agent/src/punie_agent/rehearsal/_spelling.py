"""Names that a check does not know, and those that they were meant to be.

A small model copies a misspelt name as surely as a right one, so that the right one is not among its
alternatives. Where a check names a name, and one that is nearly the same was said, that one is worth an
attempt: most misspellings are one letter away (Damerau, 1964).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from punie_agent.constrain import Alternative

if TYPE_CHECKING:
    from punie_agent.rehearsal._edit import Edit

__all__ = ["respelt"]

_LOSS = 1.0
"""Of a name that is written otherwise; that of a second choice which was not far behind."""
_MOST, _ALIKE = 2, 0.75
"""How many names are taken for one, and how much alike they are, from 0 to 1 (`difflib`)."""
_NAMED = re.compile(r"`([^\W\d]\w*)`")
_NAME = re.compile(r"[^\W\d]\w*")


def respelt(text: str, code: str, edit: Edit, said: Sequence[str]) -> list[Alternative]:
    """The ways to go on with a reply by another name than one that a check named.

    Args:
        text: the reply.
        code: its program.
        edit: what that replaces.
        said: the conversation's messages; the last one is what the check found.
    """
    begins = text.find(code)
    if edit.at is None or begins < 0 or not said:
        return []
    named = set(_NAMED.findall(said[-1]))
    known = {name for each in said for name in _NAME.findall(each)}
    found = []
    for match in _NAME.finditer(edit.new):
        name = match.group()
        if name in named and name in _NAME.findall(edit.old):
            start = text[: begins + edit.at + match.start()]
            others = difflib.get_close_matches(name, sorted(known - {name}), _MOST, _ALIKE)
            found += [Alternative(start + each, _LOSS, edit.old, settled=True) for each in others]
    return found
