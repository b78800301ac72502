"""A cursor in a model's reply: prose is free, a ```python block is followed by a `CodeCursor`."""

from __future__ import annotations

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._code import CodeCursor
from punie_agent.constrain._copying import Departures
from punie_agent.constrain._rules import Rules, as_bytes

__all__ = ["ReplyCursor"]

_PYTHON_INFO = frozenset({"python", "py", "python3", "execute_code", "tool_code"})
_SHORTEST_FENCE = 3


class ReplyCursor(Branching):
    """Where the writing of a reply has got to.

    Args:
        rules: what constrains it.
        seen: names that earlier programs of the conversation used.
    """

    __slots__ = ("_closing", "_code", "_fence", "_line", "_rules", "_seen")

    def __init__(self, rules: Rules, seen: frozenset[str] = frozenset()) -> None:
        self._rules = rules
        self._seen = seen
        self._line: str | None = ""  # this line of prose, None when it is no fence
        self._fence = ""  # the fence that opened the block we are in
        self._code: CodeCursor | None = None
        self._closing = 0  # ticks of the fence that ends the code

    @property
    def free(self) -> bool:
        """True outside of code, where anything may follow."""
        return self._code is None

    @property
    def trapped(self) -> bool:
        """True in the middle of `==`, where only one character may follow."""
        return self._code is not None and self._code.trapped

    @property
    def in_edit(self) -> bool:
        """True within a literal of the program that may be what an edit writes."""
        return self._code is not None and self._code.in_edit

    @property
    def at_text_start(self) -> bool:
        """True within a literal of the program that holds nothing yet."""
        return self._code is not None and self._code.at_text_start

    @property
    def replaced(self) -> tuple[str, bool] | None:
        """The text that the program is to replace here; see `CodeCursor.replaced`."""
        return None if self._code is None else self._code.replaced

    @property
    def departures(self) -> Departures:
        """Where the program's literals departed from what they are likely to copy."""
        return Departures() if self._code is None else self._code.departures

    @property
    def may_end(self) -> bool:
        """True when a reply may end here: not within a literal, a bracket or a fence."""
        if self._code is None:
            return True
        if self._closing:
            return self._closing >= len(self._fence)
        return self._code.complete

    def accepts(self, text: str) -> bool:
        """Tell whether a reply may go on with this text. The cursor stays where it is."""
        return self.copy().advance(text)

    def advance(self, text: str) -> bool:
        """Go on by a text; False when it cannot be right, and then the cursor is of no use."""
        return self.advance_bytes(as_bytes(text))

    def advance_bytes(self, text: str) -> bool:
        """`advance` for bytes as `as_bytes` gives them, which need not be whole characters."""
        return all(self._step(char) for char in text)

    def _step(self, char: str) -> bool:
        if self._code is None:
            self._prose(char)
            return True
        if self._closing:
            return self._close(char)
        if char == "`" and self._code.at_line_start:
            self._closing = 1
            return True
        if char == "`" and self._code.outside_text:
            return False
        return self._code.step(char)

    def _prose(self, char: str) -> None:
        if char == "\n":
            if self._line is not None:
                self._whole_line(self._line.strip(" \t\r"))
            self._line = ""
        elif self._line is not None:
            self._line += char
            if self._line.strip(" \t")[:1] not in ("", "`", "~"):
                self._line = None

    def _whole_line(self, line: str) -> None:
        mark = line[:1]
        ticks = len(line) - len(line.lstrip(mark)) if mark else 0
        info = line[ticks:].strip().lower().split()
        if ticks < _SHORTEST_FENCE or "`" in line[ticks:]:
            return
        if self._fence:
            if line.startswith(self._fence) and not info:
                self._fence = ""
            return
        self._fence = mark * ticks
        if mark == "`" and info and info[0] in _PYTHON_INFO:
            self._code = CodeCursor(self._rules, self._seen)

    def _close(self, char: str) -> bool:
        """Within the fence that ends the code."""
        if char == "`":
            self._closing += 1
            return True
        if self._closing < len(self._fence):
            return False
        if char == "\n":
            self._closing, self._code, self._fence, self._line = 0, None, "", ""
            return True
        return char in " \t\r"
