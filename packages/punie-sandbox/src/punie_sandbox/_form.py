"""What a type becomes in the sandbox: `Lowered`, and `Record` for structured types."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from pydantic import ConfigDict, PydanticUserError, TypeAdapter

__all__ = [
    "SIMPLE_KINDS",
    "Convert",
    "Field",
    "Lowered",
    "Record",
    "UnsupportedTypeError",
    "docstring",
    "json_kind",
    "strict_adapter",
]

Convert: TypeAlias = Callable[[Any], Any]
SIMPLE_KINDS: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
}


def json_kind(value: Any) -> str:
    """Which kind of JSON a value is, `"other"` where it is none."""
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return next((kind for cls, kind in SIMPLE_KINDS.items() if type(value) is cls), "other")


_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


def strict_adapter(annotation: Any) -> TypeAdapter[Any]:
    """What validates values of a type as they are, without turning one type into another."""
    try:
        return TypeAdapter(annotation, config=_STRICT)
    except PydanticUserError:  # a type with its own configuration refuses another one
        return TypeAdapter(annotation)


def docstring(text: str) -> str:
    """A text as a docstring on one line: whatever is in it, it stays inside."""
    escaped = _on_one_line(text).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if escaped.endswith('"'):
        escaped = f'{escaped[:-1]}\\"'
    return f'"""{escaped}"""'


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


class UnsupportedTypeError(TypeError):
    """A type that has no lowering; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lowered:
    """What one Python type becomes in the sandbox.

    `down` turns a host value into the value that crosses, `up` turns a value from the sandbox into the
    host's; None stands for "unchanged". `encode` and `decode` are the JSON form of the *lowered* value, as
    records keep it. `accepts` tells whether a host value and all it holds are of this type (used to choose a
    union's arm); `closely`, where it says more, whether they are of no class derived from it.
    """

    stub: str
    kinds: frozenset[str]
    accepts: Callable[[Any], bool]
    down: Convert | None = None
    up: Convert | None = None
    encode: Convert | None = None
    decode: Convert | None = None
    accepted: str | None = None
    """The stub in a parameter, where that is wider than in a result."""
    closely: Callable[[Any], bool] | None = None

    @property
    def parameter_stub(self) -> str:
        """The type as a parameter shows it: what may be passed."""
        return self.accepted or self.stub


class Field(NamedTuple):
    """One readable attribute of a record type."""

    name: str
    type: Lowered
    annotation: Any
    description: str | None = None


@dataclasses.dataclass(slots=True)
class Record:
    """A structured type as the sandbox sees it: a class with read-only fields."""

    name: str
    origin: type
    summary: str | None
    fields: list[Field] = dataclasses.field(default_factory=list)
    value_type: type = tuple

    def stub(self, *, descriptions: bool = False) -> str:
        """Render the class, one field a line."""
        lines = ["@dataclass(frozen=True)", f"class {self.name}:"]
        if descriptions and self.summary:
            lines.append(f"    {docstring(self.summary)}")
        for field in self.fields:
            shown = descriptions and field.description
            note = f"  # {_on_one_line(field.description or '')}" if shown else ""
            lines.append(f"    {field.name}: {field.type.stub}{note}")
        if not self.fields:
            lines.append("    pass")
        return "\n".join(lines)
