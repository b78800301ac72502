"""One lowering of a Python type: its stub text, and the conversion of its values in both directions.

Covered: scalars, containers, unions, literals, enums, paths, UUIDs, dates, Pydantic models, dataclasses,
named tuples, NewType, Annotated and type aliases. A structured type lowers to an immutable named tuple:
attribute access works, writing does not. Not covered: open generics, callables, protocols, iterators, typed
dictionaries; they raise `UnsupportedTypeError`, which registration turns into an error naming the
parameter.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime
import enum
import keyword
import pathlib
import re
import types
import typing
import uuid
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, NoReturn

from punie_sandbox._form import SIMPLE_KINDS, Convert, Field, Lowered, Record, UnsupportedTypeError
from punie_sandbox._json import decode_any, encode_any, encode_number
from punie_sandbox._record_form import fields_of, is_record, record_form, summary_of
from punie_sandbox._union_form import union_form

__all__ = ["Lowering"]

CROSSING_AS_IS = (bool, int, float, str, bytes, type(None))
TEMPORAL = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta)
SEQUENCES = {list, cabc.Sequence, cabc.MutableSequence, cabc.Collection, cabc.Iterable}
SETS = {set, frozenset, cabc.Set, cabc.MutableSet}
MAPPINGS = {dict, cabc.Mapping, cabc.MutableMapping, typing.OrderedDict}


def _instance_of(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


_Test: typing.TypeAlias = Callable[[Any], bool]


def _holding(item: Lowered, *classes: type) -> tuple[_Test, _Test]:
    """How a container is told from that of another type: `accepts` and `closely`, of all it holds."""
    accepts, closely = item.accepts, item.closely or item.accepts
    return (
        lambda value: isinstance(value, classes) and all(map(accepts, value)),
        lambda value: isinstance(value, classes) and all(map(closely, value)),
    )


def _mapped(convert: Convert | None, build: Callable[[Iterable[Any]], Any]) -> Convert | None:
    return None if convert is None else _always(convert, build)


def _always(convert: Convert | None, build: Callable[[Iterable[Any]], Any]) -> Convert:
    if convert is None:
        return build
    each = convert
    return lambda values: build([each(value) for value in values])


def _taken(
    convert: Convert | None, build: Callable[[Iterable[Any]], Any], *classes: type
) -> Convert:
    """Items from the sandbox; only of these classes, because text and objects have items, too."""
    return _only(_always(convert, build), *classes)


def _only(convert: Convert, *classes: type) -> Convert:
    def checked(value: Any) -> Any:
        if type(value) not in classes:
            raise TypeError(f"got {type(value).__name__}")
        return convert(value)

    return checked


def _refuse(annotation: Any) -> NoReturn:
    raise UnsupportedTypeError(f"{_name(annotation)} has no form in the sandbox")


class Lowering:
    """Lowers types, remembering the record types met on the way in the order they must be declared."""

    def __init__(self, hide: cabc.Set[str] = frozenset()) -> None:
        self.hide = hide
        self.records: dict[str, Record] = {}
        self._by_origin: dict[Any, Record] = {}

    def lower(self, annotation: Any) -> Lowered:
        """Lower one annotation.

        Raises:
            UnsupportedTypeError: the type, or a type inside it, has no lowering.
        """
        annotation = _resolve(annotation)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation is Any or annotation is object:
            return self._anything("Any" if annotation is Any else "object")
        if origin is Literal:
            return self._literal(args)
        if origin in {typing.Union, types.UnionType}:
            return union_form([self.lower(arm) for arm in args])
        if is_record(annotation):
            return self._record_type(annotation)
        if origin is not None or annotation in {*SEQUENCES, *SETS, *MAPPINGS, tuple}:
            return self._container(origin or annotation, args, annotation)
        return self._class(annotation)

    def _anything(self, stub: str) -> Lowered:
        form = Lowered(stub, frozenset({"any"}), lambda _: True)
        return dataclasses.replace(form, down=self._down_any, encode=encode_any, decode=decode_any)

    def _class(self, cls: Any) -> Lowered:
        if cls is None or cls is type(None):
            return Lowered("None", frozenset({"null"}), lambda value: value is None)
        if cls in SIMPLE_KINDS:
            return _simple(cls)
        if cls is bytes or cls is Decimal or cls in TEMPORAL:
            return _tagged(cls)
        if cls is uuid.UUID:
            return Lowered("str", frozenset({"string"}), _instance_of(uuid.UUID), str, uuid.UUID)
        if hasattr(cls, "__required_keys__"):
            raise UnsupportedTypeError(
                f"TypedDict {_name(cls)} has no form in the sandbox; use a model"
            )
        if isinstance(cls, type) and issubclass(cls, enum.Enum):
            return self._enum(cls)
        if isinstance(cls, type) and issubclass(cls, pathlib.PurePath):
            return _path(cls)
        _refuse(cls)

    def _enum(self, cls: type[enum.Enum]) -> Lowered:
        values = [member.value for member in cls]
        if not values or not all(isinstance(value, (str, int)) for value in values):
            raise UnsupportedTypeError(
                f"enum {cls.__name__} has values that are neither str nor int"
            )
        literal = self._literal(tuple(_plain(value) for value in values))
        members = {(type(key), key): member for member in cls for key in [_plain(member.value)]}
        return dataclasses.replace(
            literal,
            accepts=_instance_of(cls),
            down=lambda member: _plain(member.value),
            up=lambda value: members.get((type(value), value), value),
        )

    def _literal(self, values: tuple[Any, ...]) -> Lowered:
        members = {_plain(value.value): value for value in values if isinstance(value, enum.Enum)}
        flat = [_plain(value.value) if isinstance(value, enum.Enum) else value for value in values]
        if not all(type(value) in SIMPLE_KINDS for value in flat):
            raise UnsupportedTypeError("a Literal must be of str, int, bool or None")
        form = Lowered(
            "Literal[" + ", ".join(repr(value) for value in flat) + "]",
            frozenset(SIMPLE_KINDS[type(value)] for value in flat),
            lambda value: any(type(value) is type(option) and value == option for option in values),
        )
        if not members:
            return form
        return dataclasses.replace(
            form,
            down=lambda value: _plain(value.value) if isinstance(value, enum.Enum) else value,
            up=lambda value: members.get(value, value),
        )

    def _container(self, origin: Any, args: tuple[Any, ...], annotation: Any) -> Lowered:
        if origin is tuple:
            return self._tuple(args, annotation)
        if origin in MAPPINGS:
            key, value = args or (Any, Any)
            return _mapping(self.lower(key), self.lower(value))
        if origin not in SEQUENCES and origin not in SETS:
            _refuse(annotation)
        item = self.lower(args[0] if args else Any)
        return _sequence(item) if origin in SEQUENCES else _set(item, origin)

    def _tuple(self, args: tuple[Any, ...], annotation: Any) -> Lowered:
        kinds = frozenset({"array"})
        if annotation is tuple or (len(args) == 2 and args[1] is Ellipsis):
            item = self.lower(args[0] if args else Any)
            down, up = _mapped(item.down, tuple), _taken(item.up, tuple, tuple)
            encode, decode = _always(item.encode, list), _always(item.decode, tuple)
            accepts, closely = _holding(item, tuple)
            form = Lowered(f"tuple[{item.stub}, ...]", kinds, accepts, down, up, encode, decode)
            return dataclasses.replace(form, closely=closely)
        items = [self.lower(arg) for arg in args]
        stub = f"tuple[{', '.join(item.stub for item in items)}]" if items else "tuple[()]"

        def each(attribute: str, build: Callable[[Iterable[Any]], Any]) -> Convert:
            converts = [getattr(item, attribute) or (lambda v: v) for item in items]
            return lambda values: build([c(v) for c, v in zip(converts, values, strict=True)])

        conversions = (
            each("down", tuple),
            _only(each("up", tuple), tuple),
            each("encode", list),
            each("decode", tuple),
        )

        def are(tests: list[_Test]) -> _Test:
            return lambda value: (
                isinstance(value, tuple)
                and len(value) == len(tests)
                and all(test(each) for test, each in zip(tests, value, strict=True))
            )

        accepts = are([item.accepts for item in items])
        closely = are([item.closely or item.accepts for item in items])
        return Lowered(stub, kinds, accepts, *conversions, closely=closely)

    def _record_type(self, cls: Any) -> Lowered:
        return record_form(self._by_origin.get(cls) or self._declare(cls))

    def _declare(self, cls: Any) -> Record:
        base = typing.get_origin(cls) or cls
        name = re.sub(r"\W+", "_", _name(cls)).strip("_")
        taken = {other.name for other in self._by_origin.values()}
        suffix = 2
        while name in taken:  # two classes of one name: the second gets a number
            name, suffix = f"{name.rstrip('0123456789')}{suffix}", suffix + 1
        record = Record(name, base, summary_of(base))
        self._by_origin[cls] = record
        for field, annotation, description in fields_of(cls):
            if field in self.hide or f"{base.__name__}.{field}" in self.hide:
                continue
            if keyword.iskeyword(field) or field.startswith("_"):
                raise UnsupportedTypeError(
                    f"field {base.__name__}.{field} cannot be read as an attribute"
                )
            try:
                lowered = self.lower(annotation)
            except UnsupportedTypeError as error:
                raise UnsupportedTypeError(f"{error} (field {base.__name__}.{field})") from None
            record.fields.append(Field(field, lowered, annotation, description))
        names = [field.name for field in record.fields]
        record.value_type = namedtuple(record.name, names, module="__main__")
        self.records[record.name] = record
        return record

    def _down_any(self, value: Any) -> Any:
        """Lower a value whose type is only known now, for parameters and fields typed Any."""
        if type(value) in CROSSING_AS_IS:
            return value
        if (
            isinstance(value, tuple)
            and type(value).__module__ == "__main__"
            and hasattr(value, "_fields")
        ):
            return value  # a record, lowered before
        if isinstance(value, dict):
            return {self._down_any(key): self._down_any(item) for key, item in value.items()}
        if type(value) in {list, tuple, set, frozenset}:
            return type(value)(self._down_any(item) for item in value)
        lowered = Lowering(self.hide).lower(type(value))
        return lowered.down(value) if lowered.down else value


def _simple(cls: type) -> Lowered:
    if cls is float:  # JSON has no form for infinity and for what is no number
        kinds = frozenset({SIMPLE_KINDS[cls], "object"})
        accepts = _instance_of(int, float)
        return Lowered("float", kinds, accepts, encode=encode_number, decode=decode_any)
    exact = {bool: lambda value: type(value) is bool, int: lambda value: type(value) is int}
    return Lowered(
        cls.__name__, frozenset({SIMPLE_KINDS[cls]}), exact.get(cls) or _instance_of(cls)
    )


def _tagged(cls: type) -> Lowered:
    """A type that crosses as it is but needs a tag in JSON."""
    stub = cls.__name__ if cls in {bytes, Decimal} else f"datetime.{cls.__name__}"
    form = Lowered(stub, frozenset({"object"}), _instance_of(cls))
    return dataclasses.replace(form, encode=encode_any, decode=decode_any)


def _path(cls: type[pathlib.PurePath]) -> Lowered:
    return Lowered(
        "Path",
        frozenset({"string"}),
        _instance_of(pathlib.PurePath),
        down=lambda value: pathlib.PurePosixPath(value.as_posix()),
        up=cls,
        encode=lambda value: value.as_posix(),
        decode=pathlib.PurePosixPath,
        accepted="str | Path",
    )


def _sequence(item: Lowered) -> Lowered:
    accepts, closely = _holding(item, list, tuple)
    return Lowered(
        f"list[{item.stub}]",
        frozenset({"array"}),
        accepts,
        down=_always(
            item.down, list
        ),  # a copy: a record holds what was, whatever the host does later
        up=_taken(item.up, list, list, tuple),
        encode=_mapped(item.encode, list),
        decode=_mapped(item.decode, list),
        accepted=item.accepted and f"list[{item.accepted}]",
        closely=closely,
    )


def _set(item: Lowered, origin: Any) -> Lowered:
    build = frozenset if origin in {frozenset, cabc.Set} else set
    accepts, closely = _holding(item, set, frozenset)
    return Lowered(
        f"{build.__name__}[{item.stub}]",
        frozenset({"array"}),
        accepts,
        down=_always(item.down, build),
        up=_taken(item.up, build, set, frozenset),
        encode=_always(item.encode, lambda values: sorted(values, key=repr)),
        decode=_always(item.decode, build),
        closely=closely,
    )


def _mapping(key: Lowered, value: Lowered) -> Lowered:
    def each(of_key: Convert | None, of_value: Convert | None) -> Convert | None:
        if of_key is None and of_value is None:
            return None
        return lambda items: dict(_pairs(items.items(), of_key, of_value))

    encode, decode = each(key.encode, value.encode), each(key.decode, value.decode)
    if key.stub != "str":  # JSON objects have string keys only

        def encode(items: Mapping[Any, Any]) -> Any:
            return {
                "$dict": [list(pair) for pair in _pairs(items.items(), key.encode, value.encode)]
            }

        def decode(data: Mapping[str, Any]) -> Any:
            return dict(_pairs(data["$dict"], key.decode, value.decode))

    keys, values = _holding(key, cabc.KeysView), _holding(value, cabc.ValuesView)

    def accepts(items: Any) -> bool:
        return isinstance(items, Mapping) and keys[0](items.keys()) and values[0](items.values())

    def closely(items: Any) -> bool:
        return isinstance(items, Mapping) and keys[1](items.keys()) and values[1](items.values())

    return Lowered(
        f"dict[{key.stub}, {value.stub}]",
        frozenset({"object"}),
        accepts,
        each(key.down, value.down) or dict,
        _only(each(key.up, value.up) or dict, dict),
        encode,
        decode,
        closely=closely,
    )


def _pairs(
    pairs: Iterable[Any], of_key: Convert | None, of_value: Convert | None
) -> Iterable[tuple[Any, Any]]:
    for key, value in pairs:
        yield (of_key(key) if of_key else key), (of_value(value) if of_value else value)


def _resolve(annotation: Any) -> Any:
    """Strip what carries no form of its own: Annotated, NewType, aliases."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _plain(value: Any) -> Any:
    """A str- or int-subclass enum value as its base type."""
    return next((base(value) for base in (bool, int, str) if isinstance(value, base)), value)


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")
