"""The operands of a shell command that is being written: they name what is there, or what was said.

Covered: commands that look at files or run one. Not covered: what stands in quotes, options and their values,
and whatever the shell would expand.
"""

from __future__ import annotations

from collections.abc import Callable

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._words import Words

__all__ = ["Operands"]

_TAKES_VALUES = frozenset({"find", "head", "python", "python3", "tail"})
"""Programs whose options have values."""
_LOOKS = frozenset({"cat", "find", "head", "ls", "tail", "tree", "wc"})
"""Programs that can do nothing with what is not there."""
_FOLLOWED = _TAKES_VALUES | _LOOKS
_ENDS_COMMAND = frozenset("|;&\n")
_EXPANDED = frozenset("<>$`*?(){}[]~=!#")


class Operands(Branching):
    """Follows a command and counts where an operand departs from all that it may be.

    Args:
        places: paths, and the words of the request.
        there: the paths that are there, where the request names one of them.

    Attributes:
        departures: characters of operands that begin none of these, and ends of such that are longer.
        breaks: those of operands that have to be there, also of such that stand right behind their program.
    """

    __slots__ = (
        "_in_quotes",
        "_option",
        "_places",
        "_plain",
        "_program",
        "_there",
        "_word",
        "breaks",
        "departures",
    )

    def __init__(self, places: Words, there: Words | None = None) -> None:
        self.departures = self.breaks = 0
        self._places, self._there = places, there
        self._program = ""
        self._in_quotes = ""
        self._begin_word(option=False)

    def take(self, char: str) -> None:
        """One more character."""
        if self._in_quotes:
            self._in_quotes = "" if char == self._in_quotes else self._in_quotes
        elif char in "'\"":
            self._in_quotes, self._plain = char, False
        elif char in " \t":
            self.end()
        elif char in _ENDS_COMMAND:
            self.end()
            self._program = ""
        else:
            self._plain = self._plain and char not in _EXPANDED
            self._word += char
            self._count(Words.begins)

    def end(self) -> None:
        """The command's end, or that of a word in it."""
        if not self._word and self._plain:
            return
        self._count(Words.__contains__)
        option = self._word.startswith("-")
        self._program = self._program or self._word
        self._begin_word(option=option)

    def _count(self, may_be: Callable[[Words, str], bool]) -> None:
        if not self._program:
            # A program with a longer name: an operand that had to be there has run into this one.
            longer = any(self._word.startswith(each) and self._word != each for each in _LOOKS)
            self.breaks += (
                self._there is not None and longer and not may_be(self._places, self._word)
            )
        elif self._is_operand:
            self.departures += not may_be(self._places, self._word)
            if self._there is not None and self._program in _LOOKS:
                self.breaks += not may_be(self._there, self._word)

    def _begin_word(self, *, option: bool) -> None:
        self._word, self._plain, self._option = "", True, option

    @property
    def _is_operand(self) -> bool:
        valued = self._option and self._program in _TAKES_VALUES
        followed = self._program in _FOLLOWED and self._plain and not valued
        return followed and not self._word.startswith("-") and not self._word.isdigit()
