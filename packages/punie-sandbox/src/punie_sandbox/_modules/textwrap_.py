"""What models use of `textwrap`."""

# ruff: noqa: UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

from typing import Any, Callable


def dedent(text: str) -> str:
    """Remove common leading whitespace."""
    lines = [line if line.strip() else "" for line in text.split("\n")]
    margin = None
    for line in lines:
        if not line:
            continue
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if margin is None:
            margin = indent
            continue
        common = 0
        while common < len(margin) and common < len(indent) and margin[common] == indent[common]:
            common += 1
        margin = margin[:common]
    if not margin:
        return "\n".join(lines)
    size = len(margin)
    return "\n".join([line[size:] if line else line for line in lines])


def indent(text: str, prefix: str, predicate: Callable[[str], Any] | None = None) -> str:
    """Put a prefix before each line that is not blank."""
    done = []
    for line in text.splitlines(True):
        wanted = line.strip() if predicate is None else predicate(line)
        done.append(prefix + line if wanted else line)
    return "".join(done)


def wrap(
    text: str, width: int = 70, initial_indent: str = "", subsequent_indent: str = ""
) -> list[str]:
    """Fill words into lines of at most this width; longer words are broken."""
    if width <= 0:
        raise ValueError(f"invalid width {width} (must be > 0)")
    words = []
    for word in text.split():
        words.extend(_pieces(word))
    lines = []
    line = ""
    empty = True
    glue = ""
    lead = initial_indent
    room = width - len(lead)
    pending = list(words)
    while pending:
        word, ends = pending[0]
        if empty:
            if len(word) <= room:
                line, empty, glue = word, False, " " if ends else ""
                pending = pending[1:]
            else:
                size = max(1, room)
                lines.append(lead + word[:size])
                pending[0] = (word[size:], ends)
                lead = subsequent_indent
                room = width - len(lead)
        elif len(line) + len(glue) + len(word) <= room:
            line = line + glue + word
            glue = " " if ends else ""
            pending = pending[1:]
        else:
            if len(word) > width - len(subsequent_indent):
                space = room - len(line) - len(glue)
                if space >= 0:
                    line = line + glue + word[:space]
                    pending[0] = (word[space:], ends)
            lines.append(lead + line)
            lead = subsequent_indent
            room = width - len(lead)
            line, empty, glue = "", True, ""
    if not empty:
        lines.append(lead + line)
    return lines


def _pieces(word: str) -> list[tuple[str, bool]]:
    """A word and whether a space follows it; it can be parted after a hyphen between letters."""
    pieces = []
    start = 0
    for index in range(2, len(word) - 2):
        if (
            word[index] == "-"
            and word[index - 2 : index].isalpha()
            and word[index + 1 : index + 3].isalpha()
        ):
            pieces.append((word[start : index + 1], False))
            start = index + 1
    pieces.append((word[start:], True))
    return pieces


def fill(text: str, width: int = 70, initial_indent: str = "", subsequent_indent: str = "") -> str:
    """Like `wrap`, joined with newlines."""
    return "\n".join(wrap(text, width, initial_indent, subsequent_indent))


def shorten(text: str, width: int, placeholder: str = " [...]") -> str:
    """Collapse whitespace and cut at a word to fit the width."""
    words = text.split()
    whole = " ".join(words)
    if len(whole) <= width:
        return whole
    if len(placeholder.lstrip()) > width:
        raise ValueError("placeholder too large for max width")
    while words:
        words = words[:-1]
        short = " ".join(words) + placeholder
        if words and len(short) <= width:
            return short
    return placeholder.lstrip()
