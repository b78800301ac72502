"""What the usual built-ins and methods do to shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from punie_sandbox._reads.shapes import UNKNOWN, Dict, List, Shape, Tuple, items_of, join

__all__ = ["METHODS", "Caller", "builtin_call"]

Effect: TypeAlias = tuple[Shape, Shape]
"""What a method returns, and what it adds to its receiver."""


class Caller(Protocol):
    """Who can call the functions passed as `key=` and the like."""

    def apply(self, function: Shape, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
        """Call whatever a shape can be."""
        ...


def _list(item: Shape) -> Shape:
    return frozenset({List(item)})


def _pair(first: Shape, second: Shape) -> Shape:
    return frozenset({Tuple((first, second))})


def _keys(shape: Shape) -> Shape:
    return join(kind.key for kind in shape if isinstance(kind, Dict))


def _values(shape: Shape) -> Shape:
    return join(kind.value for kind in shape if isinstance(kind, Dict))


def _at(args: Sequence[Shape], index: int) -> Shape:
    return args[index] if index < len(args) else UNKNOWN


METHODS: Mapping[str, Callable[[Shape, list[Shape]], Effect]] = {
    "append": lambda _, args: (UNKNOWN, _list(_at(args, 0))),
    "appendleft": lambda _, args: (UNKNOWN, _list(_at(args, 0))),
    "add": lambda _, args: (UNKNOWN, _list(_at(args, 0))),
    "insert": lambda _, args: (UNKNOWN, _list(_at(args, 1))),
    "extend": lambda _, args: (UNKNOWN, _list(items_of(_at(args, 0)))),
    "update": lambda _, args: (UNKNOWN, join(args)),
    "sort": lambda _, __: (UNKNOWN, UNKNOWN),
    "copy": lambda me, _: (me, UNKNOWN),
    "popleft": lambda me, _: (items_of(me), UNKNOWN),
    "pop": lambda me, _: (join([_values(me), _listed(me)]), UNKNOWN),
    "items": lambda me, _: (_list(_pair(_keys(me), _values(me))), UNKNOWN),
    "keys": lambda me, _: (_list(_keys(me)), UNKNOWN),
    "values": lambda me, _: (_list(_values(me)), UNKNOWN),
    "get": lambda me, args: (join([_values(me), _at(args, 1)]), UNKNOWN),
    "setdefault": lambda me, args: (
        join([_values(me), _at(args, 1)]),
        frozenset({Dict(_at(args, 0), _at(args, 1))}),
    ),
    "most_common": lambda me, _: (_list(_pair(_keys(me), UNKNOWN)), UNKNOWN),
    "union": lambda me, args: (join([me, *args]), UNKNOWN),
    "intersection": lambda me, _: (me, UNKNOWN),
    "difference": lambda me, _: (me, UNKNOWN),
}


def _listed(shape: Shape) -> Shape:
    return join(kind.item for kind in shape if isinstance(kind, List))


_SAME_ITEMS = {
    "list",
    "tuple",
    "set",
    "frozenset",
    "reversed",
    "iter",
    "deque",
    "islice",
    "cycle",
    "copy",
}
_CHOSEN = {"min", "max"}


def builtin_call(caller: Caller, name: str, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
    """The result of calling a built-in or a well-known library function."""
    rule = _RULES.get(name)
    if rule is not None:
        return rule(caller, args, named)
    for shape in named.values():  # an unknown function may call what it is given
        caller.apply(shape, [UNKNOWN], {})
    return UNKNOWN


Rule: TypeAlias = Callable[[Caller, list[Shape], Mapping[str, Shape]], Shape]


def _with_key(caller: Caller, item: Shape, named: Mapping[str, Shape]) -> None:
    if "key" in named:
        caller.apply(named["key"], [item], {})


def _sorted(caller: Caller, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
    item = items_of(_at(args, 0))
    _with_key(caller, item, named)
    return _list(item)


def _chosen(caller: Caller, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
    item = items_of(args[0]) if len(args) == 1 else join(args)
    _with_key(caller, item, named)
    return join([item, named.get("default", UNKNOWN)])


def _map(caller: Caller, args: list[Shape], _: Mapping[str, Shape]) -> Shape:
    return _list(caller.apply(_at(args, 0), [items_of(arg) for arg in args[1:]], {}))


def _filter(caller: Caller, args: list[Shape], _: Mapping[str, Shape]) -> Shape:
    item = items_of(_at(args, 1))
    caller.apply(_at(args, 0), [item], {})
    return _list(item)


def _reduce(caller: Caller, args: list[Shape], _: Mapping[str, Shape]) -> Shape:
    item = items_of(_at(args, 1))
    start = args[2] if len(args) > 2 else item
    return join([start, caller.apply(_at(args, 0), [start, item], {})])


def _groupby(caller: Caller, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
    item = items_of(_at(args, 0))
    key = caller.apply(args[1] if len(args) > 1 else named.get("key", UNKNOWN), [item], {})
    return _list(_pair(key, _list(item)))


def _dict(_: Caller, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
    made = [frozenset({Dict(UNKNOWN, join(named.values()))})]
    for kind in _at(args, 0):
        if isinstance(kind, Dict):
            made.append(frozenset({kind}))
        elif isinstance(kind, List):
            pairs = [
                pair.items for pair in kind.item if isinstance(pair, Tuple) and len(pair.items) == 2
            ]
            made.extend(frozenset({Dict(key, value)}) for key, value in pairs)
    return join(made)


def _defaultdict(caller: Caller, args: list[Shape], _: Mapping[str, Shape]) -> Shape:
    return frozenset({Dict(UNKNOWN, caller.apply(_at(args, 0), [], {}))})


def _same(_: Caller, args: list[Shape], __: Mapping[str, Any]) -> Shape:
    return _list(items_of(_at(args, 0)))


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME_ITEMS, _same),
    **dict.fromkeys(_CHOSEN, _chosen),
    "sorted": _sorted,
    "nlargest": lambda caller, args, named: _sorted(caller, args[1:], named),
    "nsmallest": lambda caller, args, named: _sorted(caller, args[1:], named),
    "map": _map,
    "starmap": _map,
    "filter": _filter,
    "takewhile": _filter,
    "dropwhile": _filter,
    "reduce": _reduce,
    "groupby": _groupby,
    "dict": _dict,
    "OrderedDict": _dict,
    "defaultdict": _defaultdict,
    "Counter": lambda _, args, __: frozenset({Dict(items_of(_at(args, 0)), UNKNOWN)}),
    "next": lambda _, args, __: join([items_of(_at(args, 0)), *args[1:]]),
    "enumerate": lambda _, args, __: _list(_pair(UNKNOWN, items_of(_at(args, 0)))),
    "zip": lambda _, args, __: _list(frozenset({Tuple(tuple(items_of(arg) for arg in args))})),
    "zip_longest": lambda _, args, __: _list(
        frozenset({Tuple(tuple(items_of(arg) for arg in args))})
    ),
    "product": lambda _, args, __: _list(frozenset({Tuple(tuple(items_of(arg) for arg in args))})),
    "combinations": lambda _, args, __: _list(_list(items_of(_at(args, 0)))),
    "chain": lambda _, args, __: _list(join(items_of(arg) for arg in args)),
    "from_iterable": lambda _, args, __: _list(items_of(items_of(_at(args, 0)))),
    "sum": lambda _, args, __: join([items_of(_at(args, 0)), _at(args, 1)]),
    "gather": lambda _, args, __: _list(join(args)),
    "print": lambda _, __, ___: UNKNOWN,
}
