"""From words on a command line to a call of a tool, and from a tool to its JSON Schema."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import TypeAdapter

from punie_tools.errors import ToolsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["ArgumentError", "arguments", "name_of", "result_schema", "signature_text"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class ArgumentError(ToolsError, ValueError):
    """Words that do not fit a tool's parameters."""


def name_of(function: Callable[..., Awaitable[Any]]) -> str:
    """Return a tool's public name."""
    return getattr(function, "__name__", "tool")


def result_schema(function: Callable[..., Awaitable[Any]]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what a tool returns."""
    returned = get_type_hints(function)["return"]
    schema = TypeAdapter(returned).json_schema(mode="serialization")
    return {"$schema": _DRAFT, "title": name_of(function), **schema}


def signature_text(function: Callable[..., Awaitable[Any]]) -> str:
    """Return `name(path, count=10)`."""
    shown = []
    for each in inspect.signature(function).parameters.values():
        default = "" if each.default is each.empty else f"={each.default!r}"
        shown.append(f"{each.name}{default}")
    return f"{name_of(function)}({', '.join(shown)})"


def arguments(function: Callable[..., Awaitable[Any]], words: Sequence[str]) -> dict[str, Any]:
    """Return a tool's arguments from words: in order, or as `--name value` / `--name=value`.

    Everything after `--` is taken in order. Values of other types than text are JSON.

    Raises:
        ArgumentError: A word fits no parameter, a parameter is missing, or a value is wrong.
    """
    parameters = inspect.signature(function).parameters
    hints = get_type_hints(function)
    given: dict[str, str] = {}
    rest = list(words)
    in_order: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--":
            in_order += rest
            break
        if word.startswith("--") and len(word) > 2:
            name, separator, value = word[2:].partition("=")
            name = name.replace("-", "_")
            if name not in parameters:
                raise ArgumentError(f"{signature_text(function)} has no parameter {name!r}")
            given[name] = value if separator else _following(name, hints[name], rest)
        else:
            in_order.append(word)
    free = [name for name in parameters if name not in given]
    if len(in_order) > len(free):
        raise ArgumentError(f"too many arguments for {signature_text(function)}")
    given |= dict(zip(free, in_order, strict=False))
    missing = [n for n, p in parameters.items() if n not in given and p.default is p.empty]
    if missing:
        raise ArgumentError(f"{signature_text(function)} needs {', '.join(missing)}")
    return {name: _value(name, hints[name], text) for name, text in given.items()}


def _following(name: str, annotation: object, rest: list[str]) -> str:
    if annotation is bool:
        return "true"
    if not rest:
        raise ArgumentError(f"--{name} needs a value")
    return rest.pop(0)


def _value(name: str, annotation: Any, text: str) -> Any:
    if annotation is str or (annotation == (str | None)):
        return text
    try:
        return TypeAdapter(annotation).validate_python(json.loads(text))
    except (ValueError, RecursionError):  # no JSON, another type, too many digits, too deep
        raise ArgumentError(f"{text!r} is no value for {name} ({annotation})") from None
