"""Text that a person decides by, shown as what it is.

A command may hold characters that move the cursor, erase what stands before them or turn the direction of
writing, so that a card shows something else than what would run. Here they become visible escapes.
"""

from __future__ import annotations

import re

__all__ = ["fenced", "one_line", "visible"]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters except tab and newline
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # no width, or direction
    "\ud800-\udfff\U000e0000-\U000e007f]"  # surrogates, tags
)


def visible(text: str) -> str:
    """Return text with hidden characters escaped; ends of lines are kept."""
    return _HIDDEN.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text on one line: what follows the first line is counted, never silently left out."""
    first, *rest = visible(text).split("\n")
    more = sum(bool(line.strip()) for line in rest)
    return f"{first} … ({more} more line{'s' if more > 1 else ''})" if more else first


def fenced(text: str, language: str = "") -> str:
    """Return text as a Markdown code block that nothing in the text can end."""
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")
