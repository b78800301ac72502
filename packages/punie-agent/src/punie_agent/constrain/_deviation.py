"""Another reply than those before: where a model was in two minds, it takes the other way.

Greedy decoding gives one reply. The next best ones leave it where another token was nearly as likely; so a
reply that repeats earlier ones is led away from them at the first such place in a text that edits, and so is
one that replaces a text by itself. Asked again and again, with less asked of the other token each time, this
is limited discrepancy search (Harvey and Ginsberg, 1995): deterministic, and the likeliest ways first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from punie_agent.constrain._rules import as_bytes

__all__ = ["Deviation"]


@dataclass(frozen=True)
class Deviation:
    """What a reply shall not repeat.

    Attributes:
        replies: the texts of earlier replies to the same conversation.
        likely: how likely another token must be beside the one that repeats them, from 0 to 1.
        line: the text that it shall replace, "" where that is left to it.
        elsewhere: texts that it shall not replace.
    """

    replies: tuple[str, ...]
    likely: float
    line: str = ""
    elsewhere: tuple[str, ...] = ()

    @cached_property
    def _said(self) -> tuple[str, ...]:
        return tuple(map(as_bytes, self.replies))

    def repeated_by(self, text: str) -> bool:
        """True when a reply that begins with this text (its bytes as characters) says what was said."""
        return any(reply.startswith(text) for reply in self._said)

    def replaces_another(self, text: str, *, complete: bool) -> bool:
        """True when a text that begins so, or is so, in bytes as characters, shall not be replaced."""
        line, *elsewhere = map(as_bytes, (self.line, *self.elsewhere))
        if line and not (text == line if complete else line.startswith(text)):
            return True
        return any(text == each if complete else each.startswith(text) for each in elsewhere)

    def to_json(self) -> dict[str, Any]:
        """Itself as plain JSON values."""
        plain = {"replies": list(self.replies), "likely": self.likely}
        return plain | {"line": self.line, "elsewhere": list(self.elsewhere)}

    @classmethod
    def from_json(cls, data: object) -> Deviation:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        match data:
            case Mapping() as found:
                replies, likely = found.get("replies"), found.get("likely")
                line, elsewhere = found.get("line", ""), found.get("elsewhere", [])
                replies, elsewhere, line = _texts(replies), _texts(elsewhere), _texts([line])
                texts = replies is not None and elsewhere is not None and line is not None
                if texts and isinstance(likely, int | float) and 0 <= likely <= 1:
                    return cls(replies, float(likely), line[0], elsewhere)
        raise ValueError(
            "`deviation` holds the texts `replies` and the number `likely`, from 0 to 1; it may hold the "
            "text `line` and the texts `elsewhere`"
        )


def _texts(value: object) -> tuple[str, ...] | None:
    """Return the texts that a list holds; None for anything else.

    Raises:
        ValueError: one of them has half a surrogate pair.
    """
    texts = value if isinstance(value, list) else [None]
    found = tuple(each for each in texts if isinstance(each, str) and as_bytes(each) is not None)
    return found if len(found) == len(texts) else None
