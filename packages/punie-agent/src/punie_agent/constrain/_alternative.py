"""How else a reply could have gone on: where a model was in two minds about an edit, and how likely that was.

Greedy decoding gives one reply. At each place of a text that edits, the next likeliest tokens begin others;
a model that is asked to begin with one of them goes on greedily from there. Asked so from the likeliest on,
with what each of them has lost so far added up, this is a best-first search among a model's replies (limited
discrepancy search, Harvey and Ginsberg, 1995, weighs all discrepancies alike): deterministic, and nothing is
asked for twice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ALTERNATIVES_FIELD", "Alternative"]

ALTERNATIVES_FIELD = "punie_alternatives"
"""The field of an answer in which a model server of Punie's own says how else it could have gone on."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way in which a reply could have gone on.

    Attributes:
        start: how the reply would begin: what was written up to there, and another token.
        loss: how much less likely that token is than the one that was taken: the natural logarithm of their
            ratio, as the constraint sees them; at least 0.
        line: the text that the edit is to replace, as far as it is written; "" where nothing is replaced.
        settled: whether that is all of it.
    """

    start: str
    loss: float
    line: str = ""
    settled: bool = False

    def to_json(self) -> dict[str, Any]:
        """Itself as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Alternative:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        match data:
            case {
                "start": str(start),
                "loss": int() | float() as loss,
                "line": str(line),
                "settled": bool(settled),
            }:
                if loss >= 0 and _is_text(start) and _is_text(line):
                    return cls(start, float(loss), line, settled)
        raise ValueError(
            "an alternative has the texts `start` and `line`, the number `loss`, from 0 on, and `settled`, "
            "which is true or false"
        )


def _is_text(value: str) -> bool:
    """True unless there is half a surrogate pair in it, which nothing could write."""
    return value.encode(errors="replace").decode() == value
