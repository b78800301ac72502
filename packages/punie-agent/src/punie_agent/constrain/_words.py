"""A set of texts that can be asked for beginnings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

__all__ = ["Words"]


class Words:
    """A set of texts that can be asked for beginnings."""

    __slots__ = ("_all", "_sorted")

    def __init__(self, words: Iterable[str]) -> None:
        self._all = frozenset(words)
        self._sorted = sorted(self._all)

    def __contains__(self, word: object) -> bool:
        return word in self._all

    def __iter__(self) -> Any:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def without(self, others: Iterable[str]) -> Words:
        """Those that are none of the others, with a slash at the end or without."""
        left_out = {other.rstrip("/") for other in others}
        return (
            Words(word for word in self if word.rstrip("/") not in left_out) if left_out else self
        )

    def goes_on_with_capital(self, text: str) -> bool:
        """True when one of the texts is this one and a capital letter, and perhaps more."""
        at = bisect_left(self._sorted, f"{text}A")
        found = self._sorted[at] if at < len(self._sorted) else ""
        return found.startswith(text) and "A" <= found[len(text) :] < "["

    def goes_on(self, text: str) -> bool:
        """True when one of the texts is this one and more."""
        at = bisect_right(self._sorted, text)
        return at < len(self._sorted) and self._sorted[at].startswith(text)

    def goes_on_only_with(self, text: str, more: str) -> bool:
        """True when some of the texts begin with this one, and all of those go on with the other one."""
        at = bisect_left(self._sorted, text)
        end = bisect_right(self._sorted, text + "\U0010ffff")
        return at < end and all(word.startswith(text + more) for word in self._sorted[at:end])

    def begins(self, text: str) -> bool:
        """True when one of the texts begins with this one."""
        at = bisect_left(self._sorted, text)
        return at < len(self._sorted) and self._sorted[at].startswith(text)
