"""One string literal in progress: quotes, escapes, f-string braces, and the texts it may hold."""

from __future__ import annotations

from enum import IntEnum

from punie_agent.constrain._rules import Told, Words

__all__ = ["PREFIXES", "Literal", "Step"]

PREFIXES = frozenset({"r", "b", "u", "f", "rb", "br", "rf", "fr"})
"""The letters that may stand before a quote."""

_LONGEST_KEPT = 200


class Step(IntEnum):
    """What a character did to a literal."""

    WRONG = 0
    TAKEN = 1
    ENDED = 2
    ENDED_BEFORE = 3
    """It had ended already (an empty literal); the character is code."""
    FIELD = 4
    """An f-string's replacement field begins."""


class Literal:
    """A string literal after its opening quote.

    Args:
        quote: the quote that opened it.
        prefix: the letters before it, in lower case.
        words: what it may hold; None for anything. Not for f-strings.
        selects: whether one of the words may go on with `::` and anything.

    Attributes:
        text: what it holds, the beginning of it when that is long.
        strays: how often it has gone astray, where that is followed: each character of a word that nobody
            said, and its end.
        in_spec: within the format of a replacement field.
    """

    __slots__ = (
        "_brace",
        "_escaped",
        "_formatted",
        "_fragment",
        "_opening",
        "_quote",
        "_quotes",
        "_run",
        "_selects",
        "_told",
        "_triple",
        "_unnamed",
        "in_spec",
        "strays",
        "text",
        "words",
    )

    def __init__(
        self, quote: str, prefix: str = "", words: Words | None = None, *, selects: bool = False
    ) -> None:
        self.words = words
        self.text = ""
        self.in_spec = False
        self._quote = quote
        self._formatted = "f" in prefix
        self._selects = selects
        self._opening = 1
        self._triple = False
        self._escaped = False
        self._brace = False
        self._run = 0
        self._told: Told | None = None
        self._unnamed: Words | None = None
        self._quotes = False
        self._fragment = ""
        self.strays = 0

    def follow(self, told: Told | None, unnamed: Words | None, *, quotes: bool) -> None:
        """Count from now on how often it goes astray.

        Args:
            told: what it is likely to copy; None where that is not known. Not for f-strings.
            unnamed: of the words that it may be, those that were not named before; None for all.
            quotes: whether it is likely to be a piece of a text that was shown.
        """
        self._told = None if self._formatted or self.words is not None else told
        self._unnamed = unnamed
        self._quotes = quotes

    def copy(self) -> Literal:
        """The same literal, to go on from separately."""
        new = object.__new__(Literal)
        for name in self.__slots__:
            setattr(new, name, getattr(self, name))
        return new

    def step(self, char: str) -> Step:
        """Take one character."""
        if self.words is not None:
            return self._constrained(char, self.words)
        opened, self._opening = self._opening, 0
        if opened and char == self._quote:
            self._opening, self._triple = (2, False) if opened == 1 else (0, True)
            return Step.TAKEN
        return Step.ENDED_BEFORE if opened == 2 else self._begun(char)

    def _begun(self, char: str) -> Step:
        """A character after the opening quotes."""
        if self._escaped:
            self._escaped = False
            self._quotes = False  # an escape is not how it was shown
            self._brace = self._formatted and char == "{"  # a backslash does not escape a brace
            return Step.TAKEN
        if self._brace:
            self._brace = False
            return Step.TAKEN if char == "{" else Step.FIELD
        if char == self._quote and not self.in_spec:
            self._run += 1
            self._compare("")
            return Step.ENDED if self._run == (3 if self._triple else 1) else Step.TAKEN
        self._run = 0
        return self._inside(char)

    def _inside(self, char: str) -> Step:
        if len(self.text) < _LONGEST_KEPT:
            self.text += char
        self._compare(char)
        if char == "\\":
            self._escaped = True
        elif char == "\n" and not self._triple:
            return Step.WRONG
        elif char == "{" and self._formatted:
            if self.in_spec:
                return Step.FIELD
            self._brace = True
        elif char == "}" and self.in_spec:
            self.in_spec = False
        return Step.TAKEN

    def _compare(self, char: str) -> None:
        """See whether the literal still says what was said before; "" ends it."""
        if self._told is None:
            return
        if self._quotes:
            self.strays += bool(char) and not self._told.shows(self.text)
        elif char.isalnum() or char >= "\x80":
            self._fragment += char
            self.strays += not self._told.words.begins(self._fragment)
        else:
            self.strays += bool(self._fragment) and self._fragment not in self._told.words
            self._fragment = ""

    def _constrained(self, char: str, words: Words) -> Step:
        if char == self._quote:
            return Step.ENDED if self.text in words or self._selected(words) else Step.WRONG
        if char in "\\\n\"'":
            return Step.WRONG
        self.text += char
        self.strays += self._unnamed is not None and not self._unnamed.begins(self.text)
        goes_on = words.begins(self.text) or self._selected(words)
        return Step.TAKEN if goes_on else Step.WRONG

    def _selected(self, words: Words) -> bool:
        """True for one of the words and a selection of a test in it, or the beginning of one."""
        path, colon, rest = self.text.partition(":")
        begun = bool(colon) and path in words and (not rest or rest.startswith(":"))
        return self._selects and begun
