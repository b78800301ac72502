"""Shapes: what static reading knows of a value.

A shape is a set of possible kinds; the empty set is "unknown".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "UNKNOWN",
    "Dict",
    "Function",
    "List",
    "Module",
    "Record",
    "Shape",
    "Tuple",
    "items_of",
    "join",
    "parse_stub",
]


@dataclass(frozen=True, slots=True)
class Record:
    """A typed result, by the name of its class."""

    name: str


@dataclass(frozen=True, slots=True)
class List:
    """Anything that iterates over items of one shape."""

    item: Shape


@dataclass(frozen=True, slots=True)
class Dict:
    """A mapping."""

    key: Shape
    value: Shape


@dataclass(frozen=True, slots=True)
class Tuple:
    """A tuple whose positions differ."""

    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """Something callable: a host function, a definition of the snippet, a lambda or a built-in, by name."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = field(
        default=None, compare=True, hash=False
    )


@dataclass(frozen=True, slots=True)
class Module:
    """A module, by name."""

    name: str


Kind: TypeAlias = Record | List | Dict | Tuple | Function | Module
Shape: TypeAlias = frozenset[Kind]
UNKNOWN: Shape = frozenset()
_DEPTH = 6


def join(shapes: Iterable[Shape]) -> Shape:
    """What a value is that is one of these; lists and dictionaries are merged, so that shapes stay small."""
    kinds = frozenset().union(*shapes)
    lists = [kind for kind in kinds if isinstance(kind, List)]
    dicts = [kind for kind in kinds if isinstance(kind, Dict)]
    if len(lists) > 1:
        kinds = (kinds - frozenset(lists)) | {List(join(kind.item for kind in lists))}
    if len(dicts) > 1:
        merged = Dict(join(kind.key for kind in dicts), join(kind.value for kind in dicts))
        kinds = (kinds - frozenset(dicts)) | {merged}
    return _cut(kinds, _DEPTH)


def _cut(shape: Shape, depth: int) -> Shape:
    """Forget what is nested too deeply, so that growing structures come to rest."""
    if depth == 0:
        return UNKNOWN
    cut: set[Kind] = set()
    for kind in shape:
        if isinstance(kind, List):
            cut.add(List(_cut(kind.item, depth - 1)))
        elif isinstance(kind, Dict):
            cut.add(Dict(_cut(kind.key, depth - 1), _cut(kind.value, depth - 1)))
        elif isinstance(kind, Tuple):
            cut.add(Tuple(tuple(_cut(item, depth - 1) for item in kind.items)))
        else:
            cut.add(kind)
    return frozenset(cut)


def items_of(shape: Shape) -> Shape:
    """What iterating over the value gives."""
    found: list[Shape] = []
    for kind in shape:
        if isinstance(kind, List):
            found.append(kind.item)
        elif isinstance(kind, Dict):
            found.append(kind.key)
        elif isinstance(kind, Tuple):
            found.extend(kind.items)
    return join(found)


def parse_stub(stub: str, records: Iterable[str]) -> Shape:
    """The shape of a type as the stubs write it."""
    return _of_annotation(ast.parse(stub, mode="eval").body, frozenset(records))


def _of_annotation(node: ast.expr, records: frozenset[str]) -> Shape:  # noqa: PLR0911 - one a form
    match node:
        case ast.Name(id=name) if name in records:
            return frozenset({Record(name)})
        case ast.BinOp(left=left, right=right):
            return join([_of_annotation(left, records), _of_annotation(right, records)])
        case ast.Subscript(value=ast.Name(id="list" | "set" | "frozenset"), slice=item):
            return frozenset({List(_of_annotation(item, records))})
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, value])):
            return frozenset({Dict(_of_annotation(key, records), _of_annotation(value, records))})
        case ast.Subscript(
            value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=end)])
        ) if end is Ellipsis:
            return frozenset({List(_of_annotation(item, records))})
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
            return frozenset({Tuple(tuple(_of_annotation(item, records) for item in items))})
        case ast.Subscript(value=ast.Name(id="tuple"), slice=item):
            return frozenset({Tuple((_of_annotation(item, records),))})
        case _:
            return UNKNOWN
