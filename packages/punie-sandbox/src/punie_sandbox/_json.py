"""The JSON form of a value whose type is not known: what records keep for Any and for a run's value.

Plain JSON stays itself; everything else becomes an object with one key that starts with `$`. Records (named
tuples) become objects of their fields tagged with their type's name. Decoding restores the value, except
functions and class instances of the sandbox, which stay descriptions.
"""

from __future__ import annotations

import base64
import datetime
import math
import pathlib
from collections import namedtuple
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic_monty import MontyClassProxy

from punie_sandbox._size import LONGEST_INT

__all__ = ["decode_any", "encode_any", "encode_number"]

_DEPTH = 60


class _Description(dict[str, Any]):
    """What stands for a value that stayed in the sandbox: encoded again, it is what it was."""


def encode_any(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Encode any value that can leave the sandbox."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return encode_number(value)
    if depth > _DEPTH:
        return {"$too_deep": True}
    nested = depth + 1
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        names: tuple[str, ...] = value._fields
        fields = {n: encode_any(v, nested) for n, v in zip(names, value, strict=True)}
        return {"$record": type(value).__name__, "fields": fields}
    if isinstance(value, list):
        return [encode_any(item, nested) for item in value]
    if isinstance(value, dict):
        return _encode_dict(value, nested)
    if isinstance(value, tuple):
        return {"$tuple": [encode_any(item, nested) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {
            f"${type(value).__name__}": sorted((encode_any(v, nested) for v in value), key=repr)
        }
    return _encode_scalar(value, nested)


def _encode_dict(value: dict[Any, Any], depth: int) -> Any:
    plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
    if plain or isinstance(value, _Description):
        return {key: encode_any(item, depth) for key, item in value.items()}
    return {"$dict": [[encode_any(k, depth), encode_any(v, depth)] for k, v in value.items()]}


def encode_number(value: float) -> Any:
    """Encode a number; infinity, what is no number, and very long integers have no JSON of their own."""
    if isinstance(value, int):
        return value if value.bit_length() <= LONGEST_INT else {"$int": hex(value)}
    return value if math.isfinite(value) else {"$float": repr(value)}


def _encode_scalar(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one return per kind
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, pathlib.PurePath):
        return {"$path": value.as_posix()}
    if isinstance(value, datetime.timedelta):
        return {"$timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return {f"${type(value).__name__}": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, MontyClassProxy):
        return {
            "$object": value.name,
            "fields": {k: encode_any(v, depth) for k, v in value.attributes.items()},
        }
    return {"$repr": repr(value)}


@cache
def _record_type(name: str, fields: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple(name, fields)


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "$float": float,
    "$int": lambda text: int(text, 16),
    "$tuple": lambda data: tuple(map(decode_any, data)),
    "$set": lambda data: set(map(decode_any, data)),
    "$frozenset": lambda data: frozenset(map(decode_any, data)),
    "$dict": lambda data: {decode_any(key): decode_any(value) for key, value in data},
    "$bytes": base64.b64decode,
    "$path": pathlib.PurePosixPath,
    "$timedelta": lambda data: datetime.timedelta(*data),
    "$datetime": datetime.datetime.fromisoformat,
    "$date": datetime.date.fromisoformat,
    "$time": datetime.time.fromisoformat,
    "$decimal": Decimal,
}


def decode_any(data: Any) -> Any:
    """Restore what `encode_any` encoded."""
    if isinstance(data, list):
        return [decode_any(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "$record" in data:
        fields: dict[str, Any] = data["fields"]
        return _record_type(data["$record"], tuple(fields))(*map(decode_any, fields.values()))
    for tag, decode in _DECODERS.items():
        if tag in data:
            return decode(data[tag])
    made = {key: decode_any(value) for key, value in data.items()}
    return _Description(made) if any(key.startswith("$") for key in made) else made
