"""What a literal copies: words that were said, text that was shown, attributes of classes that were shown.

Nothing is refused here. Where a literal departs from what it is likely to copy, that is counted, and a token
that does not depart can be taken instead (`TokenFilter.nearly`). Characters are bytes, as everywhere here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._operands import Operands
from punie_agent.constrain._words import Words

__all__ = ["SURELY_QUOTED", "Copying", "Departures", "Told", "classes_in"]

_CLASS = re.compile(r"^class (\w+)\b[^\n]*:\n((?:[ \t]+[^\n]*(?:\n|\Z)|\n)+)", re.MULTILINE)
_MEMBER = re.compile(r"^    (?:(?:async )?def )?(\w+)(?=[:(])", re.MULTILINE)
_NAME_AT_END = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\Z")
_LONGEST_KEPT = 2000
SURELY_QUOTED = 8
"""Characters of a shown text after which it is no chance that they stand there."""


@dataclass(frozen=True)
class Told:
    """What a literal can be a copy of.

    Attributes:
        words: runs of letters and digits in the conversation and in the workspace's paths.
        texts: earlier messages, what tools printed, and the files that the request names.
        classes: the attributes of each class that was shown.
        places: what an operand of a command may be: paths, and the words of the request; None where paths
            are not known.
    """

    words: Words
    texts: tuple[str, ...] = ()
    classes: Mapping[str, Words] = field(default_factory=dict)
    places: Words | None = None

    def shows(self, piece: str) -> bool:
        """True when a piece stands in one of the texts."""
        return any(piece in text for text in self.texts)

    def without(self, replaced: Iterable[str]) -> Told:
        """The same, with some texts no longer there: they have been replaced, and need that no more."""
        texts = self.texts
        for gone in replaced:
            texts = tuple(text.replace(gone, "\0") for text in texts)
        return replace(self, texts=texts)

    def to_json(self) -> dict[str, Any]:
        """Itself as plain JSON values."""
        return {
            "words": list(self.words),
            "texts": list(self.texts),
            "classes": {name: list(members) for name, members in self.classes.items()},
            "places": None if self.places is None else list(self.places),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Told:
        """What `to_json` wrote; raises what a wrong shape raises, for `Rules.from_json` to tell."""
        return cls(
            Words(map(str, data["words"])),
            tuple(map(str, data["texts"])),
            {str(name): Words(map(str, each)) for name, each in data["classes"].items()},
            None if data["places"] is None else Words(map(str, data["places"])),
        )


def classes_in(texts: Iterable[str]) -> dict[str, Words]:
    """The classes whose source stands in some texts, with the names of their fields and methods."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, body in _CLASS.findall(text):
            found.setdefault(name, set()).update(_MEMBER.findall(body))
    return {name: Words(members) for name, members in found.items() if members}


class Departures(NamedTuple):
    """How often literals departed from what they are likely to copy.

    Attributes:
        strays: characters of words that nobody said, and ends of words that are longer.
        misfits: characters of a quoted text that was not shown, of an attribute that a shown class lacks,
            of a path that was named before, of an operand that names nothing.
        breaks: quoted texts that went wrong in the middle: what was shown would go on otherwise.
    """

    strays: int = 0
    misfits: int = 0
    breaks: int = 0

    def plus(self, other: Departures) -> Departures:
        """These and others."""
        return Departures(*(one + more for one, more in zip(self, other, strict=True)))


class Copying(Branching):
    """Follows one literal and counts where it departs from what it is likely to copy.

    Args:
        told: what that is.
        quotes: whether it is likely to be a piece of a text that was shown, as what is replaced in one is.
        commands: whether it is a shell command.
    """

    __slots__ = (
        "_attributes",
        "_breaks",
        "_fragment",
        "_misfits",
        "_operands",
        "_quotes",
        "_strays",
        "_text",
        "_told",
    )

    def __init__(self, told: Told, *, quotes: bool = False, commands: bool = False) -> None:
        self._told = told
        self._quotes = quotes
        follows = commands and told.places is not None
        self._operands = Operands(told.places) if follows else None
        self._text = ""
        self._fragment = ""  # of a word
        self._attributes: Words | None = None  # what it may be, after `name.`
        self._strays = self._misfits = self._breaks = 0

    @property
    def departures(self) -> Departures:
        """Where it departed so far."""
        operands = 0 if self._operands is None else self._operands.departures
        return Departures(self._strays, self._misfits + operands, self._breaks)

    def take(self, char: str) -> None:
        """One more character of the literal, a backslash for an escape sequence."""
        if char == "\\":
            self._end_word()
            self._quotes, self._attributes = False, None  # no text is followed beyond it
            self._operands = None
            return
        if self._operands is not None:
            self._operands.take(char)
        if len(self._text) < _LONGEST_KEPT:
            self._text += char
        if self._quotes:
            self._quote()
        elif char.isalnum() or char >= "\x80" or (char == "_" and self._attributes is not None):
            self._fragment += char
            if self._attributes is not None:
                self._misfits += not self._attributes.begins(self._fragment)
            else:
                self._strays += not self._told.words.begins(self._fragment)
        else:
            self._end_word()
            self._attributes = self._members() if char == "." else None

    def _quote(self) -> None:
        """Compare a text that is quoted so far with what was shown."""
        if not self._told.shows(self._text):
            self._misfits += 1
            before = self._text[:-1]
            self._breaks += len(before) >= SURELY_QUOTED and self._told.shows(before)

    def end(self) -> None:
        """The literal's end."""
        self._end_word()
        if self._operands is not None:
            self._operands.end()

    def _end_word(self) -> None:
        if self._fragment and not self._quotes:
            if self._attributes is not None:
                self._misfits += self._fragment not in self._attributes
            else:
                self._strays += self._fragment not in self._told.words
        self._fragment = ""

    def _members(self) -> Words | None:
        """What may follow `name.` in code, where the name is a parameter of a class that was shown."""
        name = _NAME_AT_END.search(self._text[:-1]) if self._told.classes else None
        if name is None:
            return None
        annotated = re.findall(rf"[(,]\s*{name[1]}: (\w+)\s*[,)=]", self._text)
        return self._told.classes.get(annotated[-1]) if annotated else None
