"""What models use of `operator`."""

# ruff: noqa: D403, UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

from typing import Any, Callable


def itemgetter(item: Any, *items: Any) -> Callable[[Any], Any]:
    """A function that takes an item, or several as a tuple."""
    if not items:
        return lambda value: value[item]
    wanted = [item, *items]
    return lambda value: tuple([value[each] for each in wanted])


def attrgetter(attr: str, *attrs: str) -> Callable[[Any], Any]:
    """A function that reads an attribute (dots allowed), or several as a tuple."""

    def read(value: Any, path: str) -> Any:
        for name in path.split("."):
            value = getattr(value, name)
        return value

    if not attrs:
        return lambda value: read(value, attr)
    wanted = [attr, *attrs]
    return lambda value: tuple([read(value, each) for each in wanted])


def methodcaller(name: str, *args: Any) -> Callable[[Any], Any]:
    """A function that calls a method."""
    return lambda value: getattr(value, name)(*args)


def add(a: Any, b: Any) -> Any:
    """a + b."""
    return a + b


def sub(a: Any, b: Any) -> Any:
    """a - b."""
    return a - b


def mul(a: Any, b: Any) -> Any:
    """a * b."""
    return a * b


def truediv(a: Any, b: Any) -> Any:
    """a / b."""
    return a / b


def floordiv(a: Any, b: Any) -> Any:
    """a // b."""
    return a // b


def mod(a: Any, b: Any) -> Any:
    """a % b."""
    return a % b


def neg(a: Any) -> Any:
    """-a."""
    return -a


def not_(a: Any) -> bool:
    """Not a."""
    return not a


def eq(a: Any, b: Any) -> Any:
    """a == b."""
    return a == b


def ne(a: Any, b: Any) -> Any:
    """a != b."""
    return a != b


def lt(a: Any, b: Any) -> Any:
    """a < b."""
    return a < b


def le(a: Any, b: Any) -> Any:
    """a <= b."""
    return a <= b


def gt(a: Any, b: Any) -> Any:
    """a > b."""
    return a > b


def ge(a: Any, b: Any) -> Any:
    """a >= b."""
    return a >= b


def and_(a: Any, b: Any) -> Any:
    """a & b."""
    return a & b


def or_(a: Any, b: Any) -> Any:
    """a | b."""
    return a | b


def xor(a: Any, b: Any) -> Any:
    """a ^ b."""
    return a ^ b


def contains(a: Any, b: Any) -> bool:
    """B in a."""
    return b in a


def getitem(a: Any, b: Any) -> Any:
    """a[b]."""
    return a[b]


def truth(a: Any) -> bool:
    """bool(a)."""
    return bool(a)
