"""One lowering of a Python type: its stub text, and the conversion of its values in both directions.

Covered: scalars, containers, unions, literals, enums, paths, UUIDs, dates, Pydantic models, dataclasses,
named tuples, typed dictionaries, NewType, Annotated and type aliases. A structured type lowers to an
immutable named tuple: attribute access works, writing does not. Not covered: open generics, callables,
protocols, iterators; they raise `Unsupported`, which registration turns into an error naming the parameter.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime
import enum
import keyword
import operator
import pathlib
import re
import types
import typing
import uuid
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import typing_extensions
from pydantic import BaseModel

from punie_sandbox._json import decode_any, encode_any

__all__ = ["Field", "Lowered", "Lowering", "Record", "Unsupported"]

Convert = Callable[[Any], Any]

SIMPLE_KINDS: Mapping[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
}
CROSSING_AS_IS = (bool, int, float, str, bytes, type(None))
TEMPORAL = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)


class Unsupported(TypeError):
    """A type that has no lowering; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lowered:
    """What one Python type becomes in the sandbox.

    `down` turns a host value into the value that crosses, `up` turns a value from the sandbox into the
    host's; None stands for "unchanged". `encode` and `decode` are the JSON form of the *lowered* value, as
    records keep it. `accepts` tells whether a host value is of this type (used to choose a union's arm).
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

    @property
    def parameter_stub(self) -> str:
        """The type as a parameter shows it: what may be passed."""
        return self.accepted or self.stub


class Field(NamedTuple):
    """One readable attribute of a record type."""

    name: str
    type: Lowered
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
            lines.append(f'    """{self.summary}"""')
        for field in self.fields:
            note = f"  # {field.description}" if descriptions and field.description else ""
            lines.append(f"    {field.name}: {field.type.stub}{note}")
        if not self.fields:
            lines.append("    pass")
        return "\n".join(lines)


def _instance_of(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


def _exactly(cls: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is cls


def _mapped(convert: Convert | None, build: Callable[[Iterable[Any]], Any]) -> Convert | None:
    if convert is None:
        return None
    return lambda values: build([convert(value) for value in values])


class Lowering:
    """Lowers types, remembering the record types met on the way in the order they must be declared."""

    def __init__(self, hide: cabc.Set[str] = frozenset()) -> None:
        self.hide = hide
        self.records: dict[str, Record] = {}
        self._by_origin: dict[Any, Record] = {}

    def lower(self, annotation: Any) -> Lowered:
        """Lower one annotation.

        Raises:
            Unsupported: the type, or a type inside it, has no lowering.
        """
        annotation = _resolve(annotation)
        if annotation is Any or annotation is object:
            stub = "Any" if annotation is Any else "object"
            return Lowered(
                stub,
                frozenset({"any"}),
                lambda _: True,
                self._down_any,
                None,
                encode_any,
                decode_any,
            )
        if annotation is None or annotation is type(None):
            return Lowered("None", frozenset({"null"}), lambda value: value is None)
        origin = typing.get_origin(annotation)
        if origin is Literal:
            return self._literal(typing.get_args(annotation))
        if origin in {typing.Union, types.UnionType}:
            return self._union([self.lower(arm) for arm in typing.get_args(annotation)])
        if origin is not None and not _is_record(origin):
            return self._container(origin, typing.get_args(annotation), annotation)
        if isinstance(annotation, type) or _is_record(origin):
            return self._class(annotation)
        raise Unsupported(f"{_name(annotation)} has no form in the sandbox")

    def _class(self, cls: Any) -> Lowered:
        if cls in CROSSING_AS_IS and cls is not bytes:
            accepts = (
                _instance_of(int, float)
                if cls is float
                else _exactly(cls)
                if cls in {bool, int}
                else _instance_of(cls)
            )
            return Lowered(cls.__name__, frozenset({SIMPLE_KINDS[cls]}), accepts)
        if cls is bytes:
            return Lowered(
                "bytes",
                frozenset({"object"}),
                _instance_of(bytes),
                None,
                None,
                encode_any,
                decode_any,
            )
        if _is_record(cls):
            return self._record_type(cls)
        if typing_extensions.is_typeddict(cls):
            return self._typed_dict(cls)
        if not isinstance(cls, type):
            raise Unsupported(f"{_name(cls)} has no form in the sandbox")
        if issubclass(cls, enum.Enum):
            return self._enum(cls)
        if issubclass(cls, pathlib.PurePath):
            return Lowered(
                "Path", frozenset({"string"}), _instance_of(pathlib.PurePath),
                lambda value: pathlib.PurePosixPath(value.as_posix()), cls,
                lambda value: value.as_posix(), pathlib.PurePosixPath, "str | Path",
            )  # fmt: skip
        if cls is uuid.UUID:
            return Lowered("str", frozenset({"string"}), _instance_of(uuid.UUID), str, uuid.UUID)
        if cls in TEMPORAL or cls is Decimal:
            return self._tagged(cls)
        if cls in {list, dict, set, frozenset, tuple}:
            return self._container(cls, (), cls)
        raise Unsupported(f"{_name(cls)} has no form in the sandbox")

    def _tagged(self, cls: type) -> Lowered:
        stub = "Decimal" if cls is Decimal else f"datetime.{cls.__name__}"
        return Lowered(
            stub, frozenset({"object"}), _instance_of(cls), None, None, encode_any, decode_any
        )

    def _enum(self, cls: type[enum.Enum]) -> Lowered:
        values = [member.value for member in cls]
        if not values or not all(isinstance(value, (str, int, bool, bytes)) for value in values):
            raise Unsupported(f"enum {cls.__name__} has values that are neither str nor int")
        literal = self._literal(tuple(_plain(value) for value in values))
        return dataclasses.replace(
            literal, accepts=_instance_of(cls), down=lambda member: _plain(member.value), up=cls
        )

    def _literal(self, values: tuple[Any, ...]) -> Lowered:
        flat = tuple(
            _plain(value.value) if isinstance(value, enum.Enum) else value for value in values
        )
        members = {_plain(value.value): value for value in values if isinstance(value, enum.Enum)}
        kinds = frozenset(SIMPLE_KINDS.get(type(value), "string") for value in flat)
        stub = "Literal[" + ", ".join(repr(value) for value in flat) + "]"
        return Lowered(
            stub, kinds, lambda value: any(value is option or (type(value) is type(option) and value == option) for option in values),
            (lambda value: _plain(value.value) if isinstance(value, enum.Enum) else value) if members else None,
            (lambda value: members.get(value, value)) if members else None,
            encode_any if any(isinstance(value, bytes) for value in flat) else None,
            decode_any if any(isinstance(value, bytes) for value in flat) else None,
        )  # fmt: skip

    def _container(self, origin: Any, args: tuple[Any, ...], annotation: Any) -> Lowered:
        if origin is tuple:
            return self._tuple(args, annotation)
        if origin in {dict, cabc.Mapping, cabc.MutableMapping, typing.OrderedDict}:
            key, value = args or (Any, Any)
            return self._mapping(self.lower(key), self.lower(value))
        sequences = {list, cabc.Sequence, cabc.MutableSequence, cabc.Collection, cabc.Iterable}
        if origin in sequences:
            item = self.lower(args[0] if args else Any)
            return Lowered(
                f"list[{item.stub}]", frozenset({"array"}), _instance_of(list, tuple),
                _mapped(item.down, list) if origin is list else _mapped(item.down or (lambda v: v), list),
                _mapped(item.up, list), _mapped(item.encode, list), _mapped(item.decode, list),
                item.accepted and f"list[{item.accepted}]",
            )  # fmt: skip
        if origin in {set, frozenset, cabc.Set, cabc.MutableSet}:
            item = self.lower(args[0] if args else Any)
            build = frozenset if origin in {frozenset, cabc.Set} else set
            return Lowered(
                f"{build.__name__}[{item.stub}]", frozenset({"array"}), _instance_of(set, frozenset),
                _mapped(item.down, build), lambda values: build(item.up(v) if item.up else v for v in values),
                lambda values: sorted((item.encode(v) if item.encode else v for v in values), key=repr),
                lambda values: build(item.decode(v) if item.decode else v for v in values),
            )  # fmt: skip
        raise Unsupported(f"{_name(annotation)} has no form in the sandbox")

    def _tuple(self, args: tuple[Any, ...], annotation: Any) -> Lowered:
        if annotation in {tuple, typing.Tuple} or (len(args) == 2 and args[1] is Ellipsis):
            item = self.lower(args[0] if args else Any)
            return Lowered(
                f"tuple[{item.stub}, ...]", frozenset({"array"}), _instance_of(tuple),
                _mapped(item.down, tuple), _mapped(item.up, tuple),
                lambda values: [item.encode(v) if item.encode else v for v in values],
                lambda values: tuple(item.decode(v) if item.decode else v for v in values),
            )  # fmt: skip
        items = [self.lower(arg) for arg in args]
        stub = f"tuple[{', '.join(item.stub for item in items)}]" if items else "tuple[()]"

        def each(attribute: str, build: Callable[[Iterable[Any]], Any]) -> Convert:
            converts = [getattr(item, attribute) or (lambda v: v) for item in items]
            return lambda values: build([c(v) for c, v in zip(converts, values, strict=True)])

        return Lowered(
            stub, frozenset({"array"}), _instance_of(tuple),
            each("down", tuple), each("up", tuple), each("encode", list), each("decode", tuple),
        )  # fmt: skip

    def _mapping(self, key: Lowered, value: Lowered) -> Lowered:
        def each(attribute: str) -> Convert | None:
            of_key, of_value = getattr(key, attribute), getattr(value, attribute)
            if of_key is None and of_value is None:
                return None
            return lambda items: {
                (of_key(k) if of_key else k): (of_value(v) if of_value else v)
                for k, v in items.items()
            }

        encode, decode = each("encode"), each("decode")
        if key.stub != "str":  # JSON objects have string keys only
            encode_pairs, decode_pairs = encode or dict, decode or dict
            encode = lambda items: {
                "$dict": [[k, v] for k, v in _pairs(items, key.encode, value.encode)]
            }  # noqa: E731
            decode = lambda data: dict(
                _pairs(dict(map(tuple, data["$dict"])), key.decode, value.decode)
            )  # noqa: E731
            del encode_pairs, decode_pairs
        return Lowered(
            f"dict[{key.stub}, {value.stub}]", frozenset({"object"}), _instance_of(dict, Mapping),
            each("down"), each("up"), encode, decode,
        )  # fmt: skip

    def _union(self, arms: list[Lowered]) -> Lowered:
        stub = _either(arm.stub for arm in arms)
        accepted = _either(arm.parameter_stub for arm in arms)

        def choose(value: Any) -> Lowered:
            return next((arm for arm in arms if arm.accepts(value)), arms[0])

        def down(value: Any) -> Any:
            arm = choose(value)
            return arm.down(value) if arm.down else value

        def up(value: Any) -> Any:
            for arm in arms:
                try:
                    raised = arm.up(value) if arm.up else value
                except (TypeError, ValueError, AttributeError, KeyError):
                    continue
                if arm.accepts(raised):
                    return raised
            return value

        plain = all(arm.encode is None for arm in arms)
        converts = any(arm.down or arm.up for arm in arms)
        encode, decode = (None, None) if plain else _union_json(arms)
        return Lowered(
            stub, frozenset().union(*(arm.kinds for arm in arms)),
            lambda value: any(arm.accepts(value) for arm in arms),
            down if converts else None, up if converts else None, encode, decode,
            accepted if accepted != stub else None,
        )  # fmt: skip

    def _typed_dict(self, cls: Any) -> Lowered:
        raise Unsupported(f"TypedDict {cls.__name__} has no form in the sandbox; use a model")

    def _record_type(self, cls: Any) -> Lowered:
        record = self._by_origin.get(cls)
        if record is None:
            record = self._declare(cls)
        return _record_lowered(record)

    def _declare(self, cls: Any) -> Record:
        base = typing.get_origin(cls) or cls
        name = re.sub(r"\W+", "_", _name(cls)).strip("_")
        taken = {other.name for other in self._by_origin.values()}
        suffix = 2
        while name in taken:  # two classes of one name: the second gets a number
            name, suffix = f"{name.rstrip('0123456789')}{suffix}", suffix + 1
        record = Record(name, base, _first_line(base.__doc__) if _own_doc(base) else None)
        self._by_origin[cls] = record
        for field, annotation, description in _fields_of(cls):
            if field in self.hide or f"{base.__name__}.{field}" in self.hide:
                continue
            if keyword.iskeyword(field) or field.startswith("_"):
                raise Unsupported(f"field {base.__name__}.{field} cannot be read as an attribute")
            try:
                lowered = self.lower(annotation)
            except Unsupported as error:
                raise Unsupported(f"{error} (field {base.__name__}.{field})") from None
            record.fields.append(Field(field, lowered, description))
        record.value_type = namedtuple(
            record.name, [field.name for field in record.fields], module="__main__"
        )
        self.records[record.name] = record
        return record

    def _down_any(self, value: Any) -> Any:
        """Lower a value whose type is only known now, for parameters and fields typed Any."""
        if type(value) in CROSSING_AS_IS or isinstance(value, tuple) and hasattr(value, "_fields"):
            return value
        if isinstance(value, dict):
            return {self._down_any(key): self._down_any(item) for key, item in value.items()}
        if type(value) in {list, tuple, set, frozenset}:
            return type(value)(self._down_any(item) for item in value)
        lowered = Lowering(self.hide).lower(type(value))
        return lowered.down(value) if lowered.down else value


def _either(stubs: Iterable[str]) -> str:
    """A union's text, each member once."""
    split = [stub.split(" | ") if "[" not in stub else [stub] for stub in stubs]
    members = dict.fromkeys(member for stub in split for member in stub)
    return "Any" if "Any" in members else " | ".join(members)


def _pairs(
    items: Mapping[Any, Any], of_key: Convert | None, of_value: Convert | None
) -> list[tuple[Any, Any]]:
    return [
        ((of_key(k) if of_key else k), (of_value(v) if of_value else v)) for k, v in items.items()
    ]


def _union_json(arms: list[Lowered]) -> tuple[Convert, Convert]:
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
        kind = _json_kind(data)
        convert = next((arm.decode for arm in arms if kind in arm.kinds), None)
        return convert(data) if convert else data

    return encode, decode


def _is_lowered(arm: Lowered, value: Any) -> bool:
    """Whether a lowered value belongs to an arm: its shape is tried by encoding it."""
    if arm.encode is None:
        return _json_kind(value) in arm.kinds
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return arm.stub == type(value).__name__
    if isinstance(value, bytes):
        return arm.stub == "bytes"
    if isinstance(value, pathlib.PurePath):
        return arm.stub == "Path"
    if isinstance(value, TEMPORAL) or isinstance(value, Decimal):
        return arm.stub.rpartition(".")[2] == type(value).__name__
    try:
        arm.encode(value)
    except (TypeError, ValueError, AttributeError, KeyError):
        return False
    kind = "array" if isinstance(value, (list, tuple, set, frozenset)) else _json_kind(value)
    return kind in arm.kinds and arm.stub not in {"Path", "bytes"}


def _json_kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return next((kind for cls, kind in SIMPLE_KINDS.items() if type(value) is cls), "other")


def _record_lowered(record: Record) -> Lowered:
    """The conversions of a record; looked up lazily, because a record may contain itself."""
    down = _lazily(lambda: _down_record(record))

    def up(value: Any) -> Any:
        if isinstance(value, record.origin):
            return value
        if isinstance(value, tuple) and type(value).__name__ == record.name:
            data = {
                f.name: (f.type.up(v) if f.type.up else v)
                for f, v in zip(record.fields, value, strict=True)
            }
            return _build(record.origin, data)
        raise TypeError(f"expected {record.name}, got {type(value).__name__}")

    encode = _lazily(lambda: _encode_record(record))

    def decode(data: Any) -> Any:
        return record.value_type(
            *[
                (f.type.decode(data[f.name]) if f.type.decode else data[f.name])
                for f in record.fields
            ]
        )

    return Lowered(
        record.name, frozenset({"object"}), _instance_of(record.origin), down, up, encode, decode
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
        read, convert = operator.attrgetter(names[0]), field.type.down
        return lambda value: build(convert(read(value)) if convert else read(value))
    read_all, make = operator.attrgetter(*names), build._make  # ty: ignore[missing-attribute]
    converts = [
        (index, field.type.down) for index, field in enumerate(record.fields) if field.type.down
    ]
    if not converts:
        return lambda value: make(read_all(value))

    def down(value: Any) -> Any:
        values = list(read_all(value))
        for index, convert in converts:
            values[index] = convert(values[index])
        return make(values)

    return down


def _build(cls: Any, data: dict[str, Any]) -> Any:
    if issubclass(cls, BaseModel):
        stored = {name: value for name, value in data.items() if name in cls.model_fields}
        return cls.model_validate(stored, by_name=True, by_alias=False)
    return cls(**data)


def _is_record(cls: Any) -> bool:
    base = typing.get_origin(cls) or cls
    return isinstance(base, type) and (
        issubclass(base, BaseModel)
        or dataclasses.is_dataclass(base)
        or (issubclass(base, tuple) and hasattr(base, "_fields"))
    )


def _fields_of(cls: Any) -> list[tuple[str, Any, str | None]]:
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
    names: tuple[str, ...] = base._fields  # noqa: SLF001 - the documented way to ask a named tuple
    return [(name, hints.get(name, Any), None) for name in names]


def _resolve(annotation: Any) -> Any:
    """Strip what carries no form of its own: Annotated, NewType, aliases."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing_extensions.TypeAliasType):
            annotation = annotation.__value__
        else:
            return annotation


def _plain(value: Any) -> Any:
    """A str- or int-subclass enum value as its base type."""
    return next((base(value) for base in (bool, int, str, bytes) if isinstance(value, base)), value)


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")


def _own_doc(cls: type) -> bool:
    return (
        "__doc__" in vars(cls)
        and bool(cls.__doc__)
        and not (cls.__doc__ or "").startswith(f"{cls.__name__}(")
    )


def _first_line(doc: str | None) -> str | None:
    return doc.strip().splitlines()[0].strip() if doc and doc.strip() else None
