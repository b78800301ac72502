"""Python types from JSON Schema: what a tool of an MCP server takes and gives, as the sandbox shows it.

Covered: the scalar types, arrays, objects with named properties, enums and constants, unions
(`anyOf`, `oneOf`, a list of types), `$ref` into the same document. Not covered: conditions, patterns,
tuples, `allOf` of several parts; what is not understood becomes `Any`, never an error.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from types import GenericAlias
from typing import Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

__all__ = ["Schema", "identifier", "parameters", "result_type"]

Schema = Mapping[str, Any]
_SCALARS: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": None,
}
_DEEPEST = 12


def identifier(text: str) -> str:
    """Return `text` as a public Python identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "unnamed"
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def parameters(schema: Schema, owner: str) -> list[tuple[str, str, Any, bool]]:
    """Return the parameters of a tool: Python name, wire name, type, required; the required first."""
    reader = _Reader(schema, owner, models=False)
    required = set(schema.get("required", ()))
    found = [
        (identifier(name), name, reader.read(part, name), name in required)
        for name, part in _properties(schema).items()
    ]
    return sorted(found, key=lambda each: not each[3])


def result_type(schema: Schema, owner: str) -> Any:
    """Return the type of a tool's structured result: objects become models with attributes."""
    return _Reader(schema, owner, models=True).read(schema, "Result")


def _properties(schema: Schema) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


class _Reader:
    def __init__(self, document: Schema, owner: str, *, models: bool) -> None:
        self._document = document
        self._owner = owner
        self._models = models
        self._names: set[str] = set()

    def read(self, schema: object, name: str, depth: int = 0) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return Any
        if isinstance(ref := schema.get("$ref"), str):
            return self.read(self._target(ref), ref.rpartition("/")[2], depth + 1)
        if "const" in schema or "enum" in schema:
            return _literal(schema.get("enum", [schema.get("const")]))
        if arms := _arms(schema):
            return self._union(self.read(arm, name, depth + 1) for arm in arms)
        return self._plain(schema, name, depth)

    def _plain(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "array":
            return GenericAlias(list, (self.read(schema.get("items"), name, depth + 1),))
        if kind == "object" or "properties" in schema:
            return self._object(schema, name, depth)
        return _SCALARS.get(kind, Any) if isinstance(kind, str) else Any

    def _union(self, arms: Iterable[Any]) -> Any:
        types = tuple(arms)
        return Any if Any in types else Union[types]  # noqa: UP007 - built at run time

    def _target(self, ref: str) -> object:
        found: object = self._document
        for part in ref.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def _object(self, schema: Schema, name: str, depth: int) -> Any:
        properties = _properties(schema)
        if not properties:
            extra = schema.get("additionalProperties")
            value = self.read(extra, name, depth + 1) if isinstance(extra, Mapping) else Any
            return GenericAlias(dict, (str, value))
        if not self._models:
            return dict[str, Any]  # an argument is written as a dictionary
        required = set(schema.get("required", ()))
        types = {key: self.read(part, key, depth + 1) for key, part in properties.items()}
        return self._model(name, types, required)

    def _model(self, name: str, types: Mapping[str, Any], required: set[str]) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        for key, kind in types.items():
            name_of_field = identifier(key)
            # A field called `dict` or `model_dump` would take the place of what every model has.
            while name_of_field in fields or hasattr(BaseModel, name_of_field):
                name_of_field += "_"
            optional = kind | None if kind is not Any else Any
            fields[name_of_field] = (
                (kind, Field(alias=key))
                if key in required
                else (optional, Field(default=None, alias=key))
            )
        config = ConfigDict(populate_by_name=True, protected_namespaces=())
        return create_model(self._name(name), __config__=config, **fields)

    def _name(self, name: str) -> str:
        words = re.split(r"[_\W]+", f"{self._owner}_{name}")
        base = "".join(word[:1].upper() + word[1:] for word in words) or "Value"
        unique, number = base, 2
        while unique in self._names:
            unique, number = f"{base}{number}", number + 1
        self._names.add(unique)
        return unique


def _arms(schema: Schema) -> list[object]:
    """Return the alternatives of a union, however it is written."""
    for key in ("anyOf", "oneOf"):
        if isinstance(arms := schema.get(key), list) and arms:
            return arms
    kinds = schema.get("type")
    return [{**schema, "type": each} for each in kinds] if isinstance(kinds, list) else []


def _literal(values: object) -> Any:
    allowed = isinstance(values, list) and all(
        isinstance(value, str | int | bool | None) for value in values
    )
    if not allowed or not isinstance(values, list) or not values:
        return Any
    return Literal.__getitem__(tuple(values))
