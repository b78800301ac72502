"""Unions: a value is converted as the arm it belongs to."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from punie_sandbox._form import Convert, Lowered, json_kind

__all__ = ["union_form"]

_NOT_THIS_ARM = (TypeError, ValueError, AttributeError, KeyError)


def union_form(arms: Sequence[Lowered]) -> Lowered:
    """The union of these types; the first arm that accepts a value converts it.

    Where one arm's class derives from another's, an arm that takes the value as it is goes first: the other
    would leave out what the derived class adds.
    """
    stub = _either(arm.stub for arm in arms)
    accepted = _either(arm.parameter_stub for arm in arms)

    def down(value: Any) -> Any:
        close = (arm for arm in arms if (arm.closely or arm.accepts)(value))
        arm = next(close, None) or next((arm for arm in arms if arm.accepts(value)), arms[0])
        return arm.down(value) if arm.down else value

    def up(value: Any) -> Any:
        for arm in arms:
            try:
                raised = arm.up(value) if arm.up else value
            except _NOT_THIS_ARM:
                continue
            if arm.accepts(raised):
                return raised
        return value

    plain = all(arm.encode is None for arm in arms)
    converts = any(arm.down or arm.up for arm in arms)
    encode, decode = (None, None) if plain else _json_of(arms)
    return Lowered(
        stub,
        frozenset().union(*(arm.kinds for arm in arms)),
        lambda value: any(arm.accepts(value) for arm in arms),
        down if converts else None,
        up if converts else None,
        encode,
        decode,
        accepted if accepted != stub else None,
        lambda value: any((arm.closely or arm.accepts)(value) for arm in arms),
    )


def _either(stubs: Iterable[str]) -> str:
    """A union's text, each member once."""
    split = [stub.split(" | ") if "[" not in stub else [stub] for stub in stubs]
    members = dict.fromkeys(member for stub in split for member in stub)
    return "Any" if "Any" in members else " | ".join(members)


def _json_of(arms: Sequence[Lowered]) -> tuple[Convert, Convert]:
    """JSON of a union: the lowered value's own arm, tagged with its number where the form is ambiguous."""
    seen: list[str] = [kind for arm in arms for kind in arm.kinds]
    ambiguous = len(seen) != len(set(seen)) or "any" in seen

    def arm_of(value: Any) -> int:
        return next((i for i, arm in enumerate(arms) if _is_lowered(arm, value)), 0)

    def encode(value: Any) -> Any:
        number = arm_of(value)
        convert = arms[number].encode
        data = convert(value) if convert else value
        return {"$arm": number, "value": data} if ambiguous and convert else data

    def decode(data: Any) -> Any:
        if isinstance(data, dict) and "$arm" in data:
            convert = arms[data["$arm"]].decode
            return convert(data["value"]) if convert else data["value"]
        if ambiguous:
            return data
        kind = json_kind(data)
        convert = next((arm.decode for arm in arms if kind in arm.kinds), None)
        return convert(data) if convert else data

    return encode, decode


def _is_lowered(arm: Lowered, value: Any) -> bool:
    """Whether a lowered value belongs to an arm: by name where it has one, else by trying."""
    if arm.encode is None:
        whole = not (arm.stub == "int" and type(value) is float)
        return whole and json_kind(value) in arm.kinds and _is_plain(value)
    name = _name_of(value)
    if name is not None:
        return arm.stub == name
    try:
        if not _is_plain(arm.encode(value)):
            return False
    except _NOT_THIS_ARM:
        return False
    kind = "array" if isinstance(value, (list, tuple, set, frozenset)) else json_kind(value)
    return kind in arm.kinds and arm.stub not in {"Path", "bytes"}


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON, whatever it holds included."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return json_kind(value) != "other"


def _name_of(value: Any) -> str | None:
    """The stub of a value whose type alone says it."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value).__name__
    if isinstance(value, (bytes, Decimal)):
        return type(value).__name__
    if isinstance(value, pathlib.PurePath):
        return "Path"
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return f"datetime.{type(value).__name__}"
    return None
