"""One string literal in progress: quotes, escapes, f-string braces, and the texts it may hold."""

from __future__ import annotations

from enum import IntEnum

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._copying import Copying, Departures
from punie_agent.constrain._words import Words

__all__ = ["LONGEST_KEPT", "PREFIXES", "Literal", "Step"]

PREFIXES = frozenset({"r", "b", "u", "f", "rb", "br", "rf", "fr"})
"""The letters that may stand before a quote."""

LONGEST_KEPT = 200
"""Characters of a literal that are remembered."""


class Step(IntEnum):
    """What a character did to a literal."""

    WRONG = 0
    TAKEN = 1
    ENDED = 2
    ENDED_BEFORE = 3
    """It had ended already (an empty literal); the character is code."""
    FIELD = 4
    """An f-string's replacement field begins."""


class Literal(Branching):
    """A string literal after its opening quote.

    Args:
        quote: the quote that opened it.
        prefix: the letters before it, in lower case.
        words: what it may hold; None for anything. Not for f-strings.
        selects: whether one of the words may go on with `::` and anything.

    Attributes:
        text: what it holds, the beginning of it when that is long.
        copying: what follows what it copies, where that is followed.
        unnamed: of the words that it may be, those that were not named before; None for all.
        in_spec: within the format of a replacement field.
        formatted: an f-string.
    """

    __slots__ = (
        "_brace",
        "_escaped",
        "_opening",
        "_quote",
        "_renamed",
        "_run",
        "_selects",
        "_triple",
        "copying",
        "formatted",
        "in_spec",
        "text",
        "unnamed",
        "words",
    )

    def __init__(
        self, quote: str, prefix: str = "", words: Words | None = None, *, selects: bool = False
    ) -> None:
        self.words = words
        self.text = ""
        self.in_spec = False
        self._quote = quote
        self.formatted = "f" in prefix
        self._selects = selects
        self._opening = 1
        self._triple = False
        self._escaped = False
        self._brace = False
        self._run = 0
        self.copying: Copying | None = None
        self.unnamed: Words | None = None
        self._renamed = 0

    @property
    def departures(self) -> Departures:
        """Where it departed from what it is likely to copy."""
        return (
            Departures(misfits=self._renamed) if self.copying is None else self.copying.departures
        )

    @property
    def whole(self) -> bool:
        """True when `text` is all that it holds."""
        return len(self.text) < LONGEST_KEPT

    @property
    def ending(self) -> bool:
        """True where quotes were written that may be the beginning of its end."""
        return self._run > 0

    def step(self, char: str) -> Step:
        """Take one character."""
        if self.words is not None:
            return self._constrained(char, self.words)
        opened, self._opening = self._opening, 0
        if opened and char == self._quote:
            self._opening, self._triple = (2, False) if opened == 1 else (0, True)
            if self.copying is not None:
                self.copying.in_lines = self._triple
            return Step.TAKEN
        return Step.ENDED_BEFORE if opened == 2 else self._begun(char)

    def _begun(self, char: str) -> Step:
        """A character after the opening quotes."""
        if self._escaped:
            self._escaped = False
            self._brace = self.formatted and char == "{"  # a backslash does not escape a brace
            return Step.TAKEN
        if self._brace:
            self._brace = False
            return Step.TAKEN if char == "{" else Step.FIELD
        if char == self._quote and not self.in_spec:
            self._run += 1
            if self._run < (3 if self._triple else 1):
                return Step.TAKEN
            if self.copying is not None:
                self.copying.end()
            return Step.ENDED
        quotes, self._run = self._quote * self._run, 0
        for each in quotes:
            self._inside(each)
        return self._inside(char)

    def _inside(self, char: str) -> Step:
        if len(self.text) < LONGEST_KEPT:
            self.text += char
        if self.copying is not None:
            self.copying.take(char)
        if char == "\\":
            self._escaped = True
        elif char == "\n" and not self._triple:
            return Step.WRONG
        elif char == "{" and self.formatted:
            if self.in_spec:
                return Step.FIELD
            self._brace = True
        elif char == "}" and self.in_spec:
            self.in_spec = False
        return Step.TAKEN

    def _constrained(self, char: str, words: Words) -> Step:
        if char == self._quote:
            return Step.ENDED if self.text in words or self._selected(words) else Step.WRONG
        if char in "\\\n\"'":
            return Step.WRONG
        self.text += char
        self._renamed += self.unnamed is not None and not self.unnamed.begins(self.text)
        goes_on = words.begins(self.text) or self._selected(words)
        return Step.TAKEN if goes_on else Step.WRONG

    def _selected(self, words: Words) -> bool:
        """True for one of the words and a selection of a test in it, or the beginning of one."""
        path, colon, rest = self.text.partition(":")
        begun = bool(colon) and path in words and (not rest or rest.startswith(":"))
        return self._selects and begun
