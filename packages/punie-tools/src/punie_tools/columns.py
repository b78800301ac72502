"""Columns: from what a tool counts in to 1-based code points.

Which unit: ty, ruff and pyrefly count code points; pyright and basedpyright UTF-16 units; mypy 1
counts UTF-8 bytes, and mypy 2 (measured with 2.4.1) takes the bytes beyond one of each character
off twice. Only a line that is not ASCII makes a difference, and only its text can tell which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ColumnUnit", "code_point_column", "lines_below"]

ColumnUnit = Literal["code points", "utf-16", "utf-8", "mypy 2"]


def code_point_column(offset: int, unit: ColumnUnit, line: str | None) -> int:
    """Return the 1-based code-point column of a 0-based offset.

    Args:
        offset: The offset, in `unit`.
        unit: What the tool counts in.
        line: The text of the line; None where it is not known, which is right for ASCII.
    """
    offset = max(offset, 0)
    if line is None or unit == "code points" or line.isascii():
        return offset + 1
    width = 0
    for index, character in enumerate(line):
        if (index - width == offset) if unit == "mypy 2" else (width >= offset):
            return index + 1
        if unit == "utf-16":
            width += 2 if ord(character) > 0xFFFF else 1
        else:
            size = len(character.encode("utf-8", "surrogatepass"))
            width += size if unit == "utf-8" else size - 1
    return len(line) + 1 if unit != "mypy 2" else offset + 1


def lines_below(root: Path) -> Callable[[str, int], str | None]:
    """Return a reader of the lines of files below a directory, each file read once."""
    known: dict[str, list[str]] = {}

    def line(file: str, number: int) -> str | None:
        if file not in known:
            try:
                path = root / file
                # The name is a tool's word; waiting for a pipe would be for ever.
                text = path.read_text(encoding="utf-8") if path.is_file() else ""
            except (OSError, ValueError):
                text = ""
            known[file] = text.split("\n") if text else []
        lines = known[file]
        return lines[number - 1] if 1 <= number <= len(lines) else None

    return line
