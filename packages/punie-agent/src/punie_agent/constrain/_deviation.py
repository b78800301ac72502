"""Another reply than those before: where a model was in two minds, it takes the other way.

Greedy decoding gives one reply. The next best ones leave it where another token was nearly as likely; so a
reply that repeats earlier ones is led away from them at the first such place in a text that edits, and so is
one that replaces a text by itself. Asked again and again, with less asked of the other token each time, this is
limited discrepancy search (Harvey and Ginsberg, 1995): deterministic, and the likeliest ways first.
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
    """

    replies: tuple[str, ...]
    likely: float

    @cached_property
    def _said(self) -> tuple[str, ...]:
        return tuple(map(as_bytes, self.replies))

    def repeated_by(self, text: str) -> bool:
        """True when a reply that begins with this text (its bytes as characters) says what was said."""
        return any(reply.startswith(text) for reply in self._said)

    def to_json(self) -> dict[str, Any]:
        """Itself as plain JSON values."""
        return {"replies": list(self.replies), "likely": self.likely}

    @classmethod
    def from_json(cls, data: object) -> Deviation:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        match data:
            case Mapping() as found:
                replies, likely = found.get("replies"), found.get("likely")
                texts = isinstance(replies, list) and all(isinstance(each, str) for each in replies)
                if texts and isinstance(likely, int | float) and 0 <= likely <= 1:
                    list(map(as_bytes, replies))  # half a surrogate pair is no text: a ValueError
                    return cls(tuple(replies), float(likely))
        raise ValueError(
            "`deviation` holds the texts `replies` and the number `likely`, from 0 to 1"
        )
