"""Prose out of a message that is still being written, without ever taking a word back."""

from __future__ import annotations

import re
from collections.abc import Collection

from punie_agent.contract._reply import Reply

__all__ = ["ProseStream"]

_OPENINGS = ("```", "~~~", "<think>", "</think>", "<tool_call>", "<function=", "<|", "[TOOL_CALLS]")


class ProseStream:
    """Feeds on the pieces of one message and gives the prose that is certain to be prose.

    It holds back from the first place where a code block, a call or reasoning may begin, and gives
    the rest when the message is complete. A closed block that is only an example is prose too.
    """

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = tuple(tools)
        self._text = ""
        self._shown = 0
        names = "|".join(re.escape(name) for name in (*self._tools, "print"))
        self._bare_code = re.compile(rf"(?:\w+ *= *)?(?:{names})\(|(?:import|from|for|with|def) ")

    @property
    def shown(self) -> str:
        """Everything given so far."""
        return self._text[: self._shown]

    def feed(self, piece: str) -> str:
        """Take the next piece; returns the prose that can be shown now, maybe ""."""
        self._text += piece
        return self._give(self._safe_length())

    def finish(self, reply: Reply) -> str:
        """The message is complete and understood: returns the rest of its prose."""
        shown = self.shown.strip() if reply.acts else self.shown.lstrip()
        if reply.text.startswith(shown):
            return reply.text[len(shown) :]
        # What was shown turned out to be reasoning, where the chat template had opened its tag already.
        return f"\n\n{reply.text}" if reply.text and not shown.startswith(reply.text) else ""

    def _give(self, length: int) -> str:
        if length <= self._shown:
            return ""
        given = self._text[self._shown : length]
        self._shown = length
        return given

    def _safe_length(self) -> int:
        text = self._text
        start = text.lstrip()
        if start.startswith(("{", "[{")) or self._may_be_bare_code(start):
            return 0
        limit = min(_first_possible(text, opening) for opening in _OPENINGS)
        # Trailing space may turn out to stand before a block: it waits for what follows.
        return len(text[:limit].rstrip())

    def _may_be_bare_code(self, start: str) -> bool:
        first_line = start.split("\n", 1)[0]
        if "\n" not in start and len(first_line) < 24:
            return not first_line or re.fullmatch(r"[\w ]+[=(]?.*", first_line) is not None
        return self._bare_code.match(first_line) is not None


def _first_possible(text: str, opening: str) -> int:
    """Where `opening` starts in the text, or where a beginning of it stands at the text's end."""
    found = text.find(opening)
    if found != -1:
        return found
    for size in range(min(len(opening) - 1, len(text)), 0, -1):
        if text.endswith(opening[:size]):
            return len(text) - size
    return len(text)
