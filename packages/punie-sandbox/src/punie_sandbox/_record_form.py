"""Structured types: Pydantic models, dataclasses and named tuples become named tuples in the sandbox."""

from __future__ import annotations

import dataclasses
import operator
import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError

from punie_sandbox._form import Convert, Field, Lowered, Record, strict_adapter

__all__ = ["fields_of", "is_record", "record_form", "summary_of"]


def record_form(record: Record) -> Lowered:
    """The conversions of a record; looked up lazily, because a record may contain itself."""
    down = _lazily(lambda: _down_record(record))

    def up(value: Any) -> Any:
        if isinstance(value, record.origin):
            return value
        if not isinstance(value, tuple) or type(value).__name__ != record.name:
            raise TypeError(f"expected {record.name}, got {type(value).__name__}")
        if len(value) != len(record.fields):
            raise TypeError(f"{record.name} has {len(record.fields)} fields, not {len(value)}")
        data = {
            f.name: (f.type.up(v) if f.type.up else v)
            for f, v in zip(record.fields, value, strict=True)
        }
        return _build(record, data)

    encode = _lazily(lambda: _encode_record(record))

    def decode(data: Any) -> Any:
        return record.value_type(
            *[
                (f.type.decode(data[f.name]) if f.type.decode else data[f.name])
                for f in record.fields
            ]
        )

    return Lowered(
        record.name,
        frozenset({"object"}),
        lambda value: isinstance(value, record.origin),
        down,
        up,
        encode,
        decode,
        closely=lambda value: type(value) is record.origin,
    )


def _lazily(make: Callable[[], Convert]) -> Convert:
    made: list[Convert] = []

    def convert(value: Any) -> Any:
        if not made:
            made.append(make())
        return made[0](value)

    return convert


def _encode_record(record: Record) -> Convert:
    names = [field.name for field in record.fields]
    converts = [(field.name, field.type.encode) for field in record.fields if field.type.encode]

    def encode(value: Any) -> Any:
        if type(value).__name__ != record.name:  # an arm of a union is found by trying
            raise TypeError(f"expected {record.name}, got {type(value).__name__}")
        data = dict(zip(names, value, strict=True))
        for name, convert in converts:
            data[name] = convert(data[name])
        return data

    return encode


def _down_record(record: Record) -> Convert:
    names = [field.name for field in record.fields]
    build = record.value_type
    if not names:
        return lambda _: build()
    if len(names) == 1:
        (field,) = record.fields
        read, convert = operator.attrgetter(names[0]), _down_field(record, field)
        return lambda value: build(convert(read(value)) if convert else read(value))
    read_all, make = operator.attrgetter(*names), build._make  # ty: ignore[missing-attribute]
    converts = [
        (index, convert)
        for index, field in enumerate(record.fields)
        if (convert := _down_field(record, field))
    ]
    if not converts:
        return lambda value: make(read_all(value))

    def down(value: Any) -> Any:
        values = list(read_all(value))
        for index, convert in converts:
            values[index] = convert(values[index])
        return make(values)

    return down


def _down_field(record: Record, field: Field) -> Convert | None:
    """How a field's value is lowered; validated first, where making the object did not validate it."""
    cls: Any = record.origin
    lower = field.type.down
    if issubclass(cls, BaseModel):
        validated = field.name not in cls.model_computed_fields
    else:
        validated = not dataclasses.is_dataclass(cls)
    if validated:
        return lower
    adapter = strict_adapter(field.annotation)

    def down(value: Any) -> Any:
        try:
            checked = adapter.validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            message = f"{record.name}.{field.name} must be {field.type.stub}: {problem}"
            raise TypeError(message) from None
        return lower(checked) if lower else checked

    return down


def _build(record: Record, data: dict[str, Any]) -> Any:
    """The host's object, of values that the sandboxed code may have made up: each is validated."""
    cls: Any = record.origin
    if issubclass(cls, BaseModel):
        stored = {name: value for name, value in data.items() if name in cls.model_fields}
        return cls.model_validate(stored, strict=True, by_name=True, by_alias=False)
    for field in record.fields:  # the constructors of the others take anything
        strict_adapter(field.annotation).validate_python(data[field.name])
    return cls(**data)


def is_record(cls: Any) -> bool:
    """Whether a type has fields that are read as attributes."""
    base = typing.get_origin(cls) or cls
    return isinstance(base, type) and (
        issubclass(base, BaseModel)
        or dataclasses.is_dataclass(base)
        or (issubclass(base, tuple) and hasattr(base, "_fields"))
    )


def fields_of(cls: Any) -> list[tuple[str, Any, str | None]]:
    """Name, annotation and description of each field, computed ones last."""
    base = typing.get_origin(cls) or cls
    if issubclass(base, BaseModel):
        stored = [(n, f.annotation, f.description) for n, f in base.model_fields.items()]
        computed = [
            (n, f.return_type, f.description) for n, f in base.model_computed_fields.items()
        ]
        return stored + computed
    hints = typing.get_type_hints(base, include_extras=True)
    if dataclasses.is_dataclass(base):
        return [(field.name, hints[field.name], None) for field in dataclasses.fields(base)]
    names: tuple[str, ...] = base._fields  # the documented way to ask a named tuple
    return [(name, hints.get(name, Any), None) for name in names]


def summary_of(cls: type) -> str | None:
    """The first line of the class's own docstring; what a dataclass writes by itself is none."""
    doc = vars(cls).get("__doc__") or ""
    if not doc.strip() or doc.startswith(f"{cls.__name__}("):
        return None
    return doc.strip().splitlines()[0].strip()
