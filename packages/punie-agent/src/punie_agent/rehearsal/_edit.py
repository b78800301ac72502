"""The edit in a program, and where its new text stands in the reply."""

from __future__ import annotations

import ast
from dataclasses import dataclass

__all__ = ["Edit", "edit_in"]


@dataclass(frozen=True)
class Edit:
    """What a program replaces, and by what.

    Attributes:
        old: the text that is replaced.
        new: the text that replaces it.
        at: where that begins in the program, in characters; None where it is not written as it is.
    """

    old: str
    new: str
    at: int | None = None


def edit_in(code: str | None) -> Edit | None:
    """The first replacement of one text by another in a program; None where there is none."""
    try:
        tree = ast.parse(code or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="replace"),
                args=[ast.Constant(value=str(old)), ast.Constant(value=str(new)) as written, *_],
            ):
                return Edit(old, new, _place_of(written, new, code or ""))
    return None


def _place_of(literal: ast.Constant, text: str, code: str) -> int | None:
    """Where a literal's text begins in the code; None for one with prefixes, escapes, or several parts."""
    if "\r" in code:  # ends a line for the parser
        return None
    lines = code.split("\n")
    here = lines[literal.lineno - 1].encode()[: literal.col_offset].decode()
    start = sum(len(line) + 1 for line in lines[: literal.lineno - 1]) + len(here)
    quote = code[start]
    quotes = quote * 3 if code.startswith(quote * 3, start) else quote
    begins = start + len(quotes)
    whole = quote in "\"'" and code.startswith(f"{text}{quotes}", begins)
    return begins if whole else None
