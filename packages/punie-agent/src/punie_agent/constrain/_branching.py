"""Going on from one place in several ways: how cursors try a token before it is taken."""

from __future__ import annotations

from typing import Self

__all__ = ["Branching"]


class Branching:
    """Something that can be copied, to go on from separately.

    Its slots hold values that are replaced and never changed, others of its kind, or lists of those.
    """

    __slots__ = ()

    def copy(self) -> Self:
        """The same place, with nothing in common that changes."""
        new = object.__new__(type(self))
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, Branching):
                value = value.copy()
            elif isinstance(value, list):
                value = [each.copy() for each in value]
            setattr(new, name, value)
        return new
