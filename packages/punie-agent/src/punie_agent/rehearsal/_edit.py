"""The edit in a program, and where its texts stand."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Edit", "Span", "edit_in", "texts_in", "write_edit"]


class Span(NamedTuple):
    """Where a text stands in a program, in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Edit:
    """What a program replaces, and by what.

    Attributes:
        old: the text that is replaced.
        new: the text that replaces it.
        places: where the two stand in the program; None where one is not written there as it is.
    """

    old: str
    new: str
    places: tuple[Span, Span] | None = None


def texts_in(code: str) -> list[str]:
    """The first arguments of a program's calls that are texts: paths, for the most part."""
    found = []
    for node in ast.walk(_tree(code)):
        match node:
            case ast.Call(args=[ast.Constant(value=str(text)), *_]):
                found.append(text)
    return list(dict.fromkeys(found))


def edit_in(code: str | None) -> Edit | None:
    """The first replacement of one text by another in a program; None where there is none."""
    for node in ast.walk(_tree(code or "")):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="replace"),
                args=[
                    ast.Constant(value=str(old)) as first,
                    ast.Constant(value=str(new)) as second,
                    *_,
                ],
            ):
                before, after = (_span(each, code or "") for each in (first, second))
                places = None if before is None or after is None else (before, after)
                return Edit(old, new, places)
    return None


def write_edit(text: str, code: str, edit: Edit, old: str, new: str) -> str | None:
    """How a reply begins that replaces another text; None where it cannot be written in that way.

    Args:
        text: a reply.
        code: its program.
        edit: what that replaces.
        old: what is to be replaced.
        new: by what, or the beginning of that.
    """
    begins = text.find(code)
    if edit.places is None or begins < 0:
        return None
    before, after = edit.places
    between = code[before.end : after.start]
    quote = between[:1]
    quotes = quote * 3 if between.startswith(quote * 3) else quote
    for each in (old, new):
        if old != edit.old and ("\\" in each or quotes in each or each.endswith(quote)):
            return None
    return f"{text[: begins + before.start]}{old}{between}{new}"


def _tree(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _span(literal: ast.Constant, code: str) -> Span | None:
    """Where a literal's text stands; None for one with a prefix, an escape, or several parts."""
    if "\r" in code:  # ends a line for the parser
        return None
    lines = code.split("\n")
    here = lines[literal.lineno - 1].encode()[: literal.col_offset].decode()
    start = sum(len(line) + 1 for line in lines[: literal.lineno - 1]) + len(here)
    quote = code[start]
    quotes = quote * 3 if code.startswith(quote * 3, start) else quote
    begins = start + len(quotes)
    text = str(literal.value)
    whole = quote in "\"'" and code.startswith(f"{text}{quotes}", begins)
    return Span(begins, begins + len(text)) if whole else None
