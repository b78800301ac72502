"""Names that a check does not know, and those that they were meant to be.

A small model copies a misspelt name as surely as a right one, so that the right one is not among its
alternatives; and it is as sure of another line. Where a check names a name, and one that is nearly the same
is known, that one is tried in its place: most misspellings are one letter away (Damerau, 1964).
"""

from __future__ import annotations

import builtins
import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from punie_agent.rehearsal._edit import write_edit

if TYPE_CHECKING:
    from punie_agent.rehearsal._edit import Edit

__all__ = ["respelt"]

_MOST, _ALIKE = 2, 0.75
"""How many names are tried for one, and how much alike they are, from 0 to 1 (`difflib`)."""
_NAMED = re.compile(r"`([^\W\d]\w*)`")
_NAME = re.compile(r"[^\W\d]\w*")
_EVERYWHERE = frozenset(
    name
    for kind in (builtins, str, bytes, int, float, list, dict, set, tuple)
    for name in dir(kind)
    if not name.startswith("_")
)


def respelt(
    text: str, code: str, edit: Edit, *, found: str, files: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The ways to begin a reply that takes another name than one that a check named.

    Args:
        text: a reply.
        code: its program.
        edit: what that replaces.
        found: what the check found, with names between backticks, and lines of the files.
        files: the texts of the files that are edited.

    Yields:
        How the reply begins, and the text that it is to replace.
    """
    shown = dict.fromkeys(line.strip() for line in found.splitlines())
    quoted = [line for line in shown if any(line in file for file in files)]
    told = "\n".join(line for line in shown if line not in quoted)
    others = _names_for(set(_NAMED.findall(told)) - _EVERYWHERE, files)
    for old in dict.fromkeys([edit.old, *quoted]):
        for match in _NAME.finditer(old):
            for other in others.get(match.group(), ()):
                start = write_edit(text, code, edit, old, f"{old[: match.start()]}{other}")
                if start is not None:
                    yield start, old


def _names_for(wrong: Collection[str], files: Sequence[str]) -> dict[str, list[str]]:
    """What each of some names may have been meant to be: names that are alike and not as rare."""
    times = Counter(name for file in files for name in _NAME.findall(file))
    known = _EVERYWHERE.union(times) - set(wrong)
    alike = {name: difflib.get_close_matches(name, sorted(known), _MOST, _ALIKE) for name in wrong}
    return {
        name: [each for each in close if each in _EVERYWHERE or times[each] >= times[name]]
        for name, close in alike.items()
    }
