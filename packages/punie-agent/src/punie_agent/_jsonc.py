"""Setting one value in a JSON file that people edit, without touching anything else in it.

Editors' settings are JSON with comments and trailing commas. `set_value` works on the text: it finds
where the value is or belongs, and inserts only that, so comments, order and layout stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from punie_agent.errors import ConfigError

__all__ = ["loads", "set_value"]

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_PLAIN = re.compile(r"[-+.\w]+")
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class _Node:
    """A value in the text: where it is, what it is, and for an object its members."""

    start: int
    end: int
    value: Any
    members: dict[str, _Node]


class _Reader:
    """Reads JSON with comments and trailing commas, remembering positions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> _Node:
        node = self._value(0)
        self._skip()
        if self._at != len(self._text):
            raise self._error("something after the end")
        return node

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _error(self, what: str) -> ConfigError:
        line = self._text.count("\n", 0, self._at) + 1
        return ConfigError(f"line {line}: {what}")

    def _peek(self) -> str:
        self._skip()
        return self._text[self._at : self._at + 1]

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._error(f"expected {sign!r}")
        self._at += 1

    def _value(self, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise self._error("nested too deep")
        sign = self._peek()
        start = self._at
        if sign == "{":
            members = self._members(depth)
            value: Any = {name: node.value for name, node in members.items()}
            return _Node(start, self._at, value, members)
        if sign == "[":
            items = self._items(depth)
            return _Node(start, self._at, items, {})
        pattern = _STRING if sign == '"' else _PLAIN
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._error("expected a value")
        self._at = match.end()
        try:
            return _Node(start, self._at, json.loads(match.group(), strict=False), {})
        except ValueError:
            raise self._error(f"{match.group()[:30]!r} is not a JSON value") from None

    def _items(self, depth: int) -> list[Any]:
        self._take("[")
        items = []
        while self._peek() != "]":
            items.append(self._value(depth + 1).value)
            if self._peek() != "]":
                self._take(",")
        self._take("]")
        return items

    def _members(self, depth: int) -> dict[str, _Node]:
        self._take("{")
        members: dict[str, _Node] = {}
        while self._peek() != "}":
            if self._peek() != '"':
                raise self._error("expected a name in double quotes")
            name = self._value(depth + 1).value
            self._take(":")
            members[name] = self._value(depth + 1)
            if self._peek() != "}":
                self._take(",")
        self._take("}")
        return members


def loads(text: str) -> Any:
    """Read JSON with comments and trailing commas.

    Raises:
        ConfigError: it is not that; the message names the line.
    """
    return _Reader(text).whole().value


def set_value(text: str, path: Sequence[str], value: object) -> str:
    """The same text with one value set; missing objects on the way are made.

    Args:
        text: JSON with comments and trailing commas; an empty file counts as `{}`.
        path: the names that lead to the value.
        value: plain JSON data.

    Raises:
        ConfigError: the text is damaged, or something on the way is not an object.
    """
    if not text.strip():
        text = "{}\n"
    node = _Reader(text).whole()
    depth = 0
    for name in path:
        if not isinstance(node.value, dict):
            where = ".".join(path[:depth]) or "the file"
            raise ConfigError(f"{where} is not an object, so {'.'.join(path)} cannot be set in it")
        if name not in node.members:
            return _inserted(text, node, path[depth:], value, depth)
        node = node.members[name]
        depth += 1
    if node.value == value:
        return text
    return text[: node.start] + _ended_as(text, _rendered(value, depth)) + text[node.end :]


def _rendered(value: object, depth: int) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n" + "  " * depth)


def _ended_as(text: str, new: str) -> str:
    """New lines with the ends that the text's own lines have."""
    return new.replace("\n", "\r\n") if "\r\n" in text else new


def _inserted(text: str, node: _Node, rest: Sequence[str], value: object, depth: int) -> str:
    """Put a new first member into an object."""
    for name in reversed(rest[1:]):
        value = {name: value}
    indent = "  " * (depth + 1)
    entry = _ended_as(text, f"\n{indent}{json.dumps(rest[0])}: {_rendered(value, depth + 1)}")
    after = node.start + 1
    if node.members:
        return f"{text[:after]}{entry},{text[after:]}"
    inside = text[after : node.end - 1].rstrip()  # maybe comments
    end = _ended_as(text, f"\n{'  ' * depth}")
    return f"{text[:after]}{inside}{entry}{end}{text[node.end - 1 :]}"
