"""Results for people: a headline in colour, and one line for each thing found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from pydantic import BaseModel

from punie_tools.results import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["pretty", "wants_colour"]

_GREEN, _YELLOW, _RED, _DIM, _PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
_COLOURS = {"clean": _GREEN, "findings": _YELLOW, "nothing_checked": _YELLOW}
_HIDDEN = {"status", "parse_error", "run", "success"}


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether to write colours: to a terminal, unless NO_COLOR; always with FORCE_COLOR."""
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and not environ.get("NO_COLOR")


def pretty(result: object, *, colour: bool) -> str:
    """Return a result as text for people."""
    if not isinstance(result, ToolResult):
        return str(result)
    paint = _COLOURS.get(result.status, _RED)
    data = {name: getattr(result, name) for name in (*_fields(result), *_computed(result))}
    counts = ", ".join(
        f"{name}: {_plain(value)}"
        for name, value in data.items()
        if isinstance(value, (bool, int, float))
    )
    lines = [_painted(result.status, paint, colour) + (f"  {counts}" if counts else "")]
    if result.parse_error:
        lines.append(_painted(_safe(result.parse_error), paint, colour))
    for name, value in data.items():
        if isinstance(value, list):
            lines += [f"  {_item(each, colour)}" for each in value]
        elif isinstance(value, str) and value:
            lines.append(f"  {name}: {_safe(value)}")
    return "\n".join(lines)


def _fields(result: ToolResult) -> list[str]:
    return [name for name in type(result).model_fields if name not in _HIDDEN]


def _computed(result: ToolResult) -> list[str]:
    return [name for name in type(result).model_computed_fields if name not in _HIDDEN]


def _item(item: object, colour: bool) -> str:
    if not isinstance(item, BaseModel):
        return _safe(str(item))
    values = {name: getattr(item, name) for name in type(item).model_fields}
    place = [str(values.pop(name)) for name in ("file", "line", "column") if name in values]
    rest = "  ".join(_safe(_plain(value)) for value in values.values() if value not in (None, ""))
    return f"{_painted(_safe(':'.join(place)), _DIM, colour)}  {rest}" if place else rest


def _plain(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _painted(text: str, paint: str, colour: bool) -> str:
    return f"{paint}{text}{_PLAIN}" if colour else text


def _safe(text: str) -> str:
    """Return text that can neither move the cursor, nor colour the terminal, nor pass for a headline."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
    # At the margin stand headlines, which only a result writes.
    return shown.replace("\n", "\n      ")
