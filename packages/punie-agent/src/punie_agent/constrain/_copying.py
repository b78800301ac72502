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

__all__ = [
    "RUN",
    "SURELY_QUOTED",
    "Copying",
    "Departures",
    "Told",
    "chunks_in",
    "classes_in",
    "named_in",
]

_CLASS = re.compile(r"^class (\w+)\b[^\n]*:\n((?:[ \t]+[^\n]*(?:\n|\Z)|\n)+)", re.MULTILINE)
_MEMBER = re.compile(r"^    (?:(?:async )?def )?(\w+)(?=[:(])", re.MULTILINE)
RUN = re.compile(r"[A-Za-z0-9\x80-\xff]+")
"""Letters and digits, what words are made of."""
_CHUNK = re.compile(r"[^\s\"'`]+")
_SURELY_COPIED = 4
"""Characters of what the request has between spaces, after which it is no chance that they are copied."""
_IMPORTED = re.compile(r"(?:\A|\n)(?:from|import) ([\w.]+)( ?)\Z")
_LONGEST_IMPORT = 120
_NAME_AT_END = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\Z")
_LONGEST_KEPT = 2000
SURELY_QUOTED = 6
"""Characters of a shown text after which it is no chance that they stand there."""


@dataclass(frozen=True)
class Told:
    """What a literal can be a copy of.

    Attributes:
        words: runs of letters and digits in the conversation and in the workspace's paths.
        texts: earlier messages, what tools printed, and the files that the request names.
        classes: the attributes of each class that was shown.
        named: those of them that the request names, of classes of which it names some.
        places: what an operand of a command may be: paths, and the words of the request; None where paths
            are not known.
        there: the paths that are there, where the request names one of them; else None.
        modules: what code may import; None where that is not known.
        chunks: what the request has between spaces and quotes.
    """

    words: Words
    texts: tuple[str, ...] = ()
    classes: Mapping[str, Words] = field(default_factory=dict)
    named: Mapping[str, Words] = field(default_factory=dict)
    places: Words | None = None
    there: Words | None = None
    modules: Words | None = None
    chunks: Words = field(default_factory=lambda: Words(()))

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
            "named": {name: list(members) for name, members in self.named.items()},
            "places": None if self.places is None else list(self.places),
            "there": None if self.there is None else list(self.there),
            "modules": None if self.modules is None else list(self.modules),
            "chunks": list(self.chunks),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Told:
        """What `to_json` wrote; raises what a wrong shape raises, for `Rules.from_json` to tell."""
        classes, named = (
            {str(name): Words(map(str, each)) for name, each in data[key].items()}
            for key in ("classes", "named")
        )
        places, there, modules = (
            None if data[key] is None else Words(map(str, data[key]))
            for key in ("places", "there", "modules")
        )
        words, texts = Words(map(str, data["words"])), tuple(map(str, data["texts"]))
        chunks = Words(map(str, data["chunks"]))
        return cls(words, texts, classes, named, places, there, modules, chunks)


def classes_in(texts: Iterable[str]) -> dict[str, Words]:
    """The classes whose source stands in some texts, with the names of their fields and methods."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, body in _CLASS.findall(text):
            found.setdefault(name, set()).update(_MEMBER.findall(body))
    return {name: Words(members) for name, members in found.items() if members}


def named_in(request: str, classes: Mapping[str, Words]) -> dict[str, Words]:
    """The attributes that a request names in words (`error count` names `error_count`), by their classes.

    Classes whose source stands in the request are no part of what it says.
    """
    said = {word.lower() for word in RUN.findall(_CLASS.sub("", request))}
    said |= {word + "s" for word in said} | {word.removesuffix("s") for word in said}
    found = {
        name: [each for each in members if set(filter(None, each.lower().split("_"))) <= said]
        for name, members in classes.items()
    }
    return {name: Words(members) for name, members in found.items() if members}


def chunks_in(request: str) -> list[str]:
    """What stands between spaces and quotes, with brackets before it and without."""
    return [form for each in _CHUNK.findall(request) for form in (each, each.lstrip("([{<"))]


class Departures(NamedTuple):
    """How often literals departed from what they are likely to copy.

    Attributes:
        strays: characters of words that nobody said, and ends of words that are longer.
        misfits: characters of a quoted text that was not shown, of an attribute that a shown class lacks,
            of the first attribute where the request names others, of a module that no file is, of a path that
            was named before, of an operand that names nothing; halves of `CamelCase`, and copies of
            `name==1.5` that went wrong in the middle.
        breaks: quoted texts that went wrong in the middle: what was shown would go on otherwise; operands
            that have to be there and are not; texts that replace themselves.
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
        copies: whether it is likely to be a piece of the request, as what a file is to hold is.
        instead: the text that this one replaces. Lines of code may pass through it; they grow at their ends.

    Attributes:
        in_lines: whether it is in triple quotes, as code is.
    """

    __slots__ = (
        "_attributes",
        "_breaks",
        "_chunk",
        "_copies",
        "_fragment",
        "_instead",
        "_misfits",
        "_operands",
        "_quotes",
        "_strays",
        "_text",
        "_told",
        "in_lines",
    )

    def __init__(
        self,
        told: Told,
        *,
        quotes: bool = False,
        commands: bool = False,
        copies: bool = False,
        instead: str = "",
    ) -> None:
        self._told = told
        self._quotes = quotes
        self._copies, self._chunk, self._instead = copies, "", instead
        follows = commands and told.places is not None
        self._operands = Operands(told.places, told.there) if follows else None
        self._text = ""
        self._fragment = ""  # of a word
        self._attributes: Words | None = None  # what it is likely to be, after `name.`
        self.in_lines = False
        self._strays = self._misfits = self._breaks = 0

    @property
    def departures(self) -> Departures:
        """Where it departed so far."""
        misfits, breaks = self._misfits + self._in_half_a_sign, self._breaks
        if self._operands is not None:
            misfits, breaks = misfits + self._operands.departures, breaks + self._operands.breaks
        return Departures(self._strays, misfits, breaks)

    @property
    def _in_half_a_sign(self) -> bool:
        """True between the two of `==` and its like: tokens have such signs as a whole."""
        last, chunks = self._chunk[-1:], self._told.chunks
        if not last or last.isalnum() or len(self._chunk) < _SURELY_COPIED:
            return False
        return self._chunk not in chunks and chunks.goes_on_only_with(self._chunk, last)

    def take(self, char: str) -> None:
        """One more character of the literal, a backslash for an escape sequence."""
        if char == "\\":
            self._end_word()
            self._quotes, self._attributes = False, None  # no text is followed beyond it
            self._operands = None
            self._chunk, self._instead = "", ""
            return
        if self._operands is not None:
            self._operands.take(char)
        if len(self._text) < _LONGEST_KEPT:
            self._text += char
        if self._copies and not self.in_lines:
            self._copy(char)
        if self._instead and self._text == self._instead and not self.in_lines:
            self._breaks += not self._told.chunks.goes_on(self._text.rsplit(" ", 1)[-1])
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
        if self.in_lines and self._told.modules is not None:
            self._import(self._told.modules)

    def _import(self, modules: Words) -> None:
        """Compare what is imported at the end of the text, if anything is, with what there is."""
        found = _IMPORTED.search(self._text[-_LONGEST_IMPORT:])
        if found is not None:
            name, ended = found.groups()
            self._misfits += name not in modules if ended else not modules.begins(name)

    def _copy(self, char: str) -> None:
        """Compare what stands between spaces with what the request has there."""
        before, self._chunk = (
            self._chunk,
            "" if _CHUNK.fullmatch(char) is None else self._chunk + char,
        )
        chunks = self._told.chunks
        if len(before) < _SURELY_COPIED or before in chunks or not chunks.begins(before):
            return
        ends = before[-1].isalnum() and not char.isalnum()
        self._misfits += not ends and not chunks.begins(before + char)

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
            elif self._fragment not in self._told.words:
                self._strays += 1
                self._misfits += self._told.words.goes_on_with_capital(self._fragment)
        self._fragment = ""

    def _members(self) -> Words | None:
        """What is likely to follow `name.` in code, where the name is a parameter of a class that was shown.

        Its attributes that the request names, until one of them was read; then all.
        """
        name = _NAME_AT_END.search(self._text[:-1]) if self._told.classes else None
        if name is None:
            return None
        annotated = re.findall(rf"[(,]\s*{name[1]}: (\w+)\s*[,)=]", self._text)
        if not annotated:
            return None
        members, named = (
            each.get(annotated[-1]) for each in (self._told.classes, self._told.named)
        )
        used = set(re.findall(rf"\b{name[1]}\.(\w+)", self._text))
        return members if named is None or used.intersection(named) else named
