"""The host functions a sandbox offers, and their rendering as stubs.

Covered: plain and async callables, bound methods, keyword and positional calls, defaults, `*args`,
`**kwargs`, effects, hidden fields. Not covered: overloads, generators, context managers.
"""

from __future__ import annotations

import builtins
import collections.abc as cabc
import hashlib
import inspect
import keyword
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import GenericAlias
from typing import Any

from pydantic import TypeAdapter

from punie_sandbox._form import (
    Lowered,
    Record,
    UnsupportedTypeError,
    docstring,
    strict_adapter,
)
from punie_sandbox._function import Effect, ExternalFunction, Parameter
from punie_sandbox._lowering import Lowering
from punie_sandbox.errors import RegistrationError

__all__ = ["AMBIENT", "ExternalFunctions"]

RESERVED = ("_", "punie_")
"""Beginnings of names that are not for functions: the second is this package's own."""
_STUB_NAMES = frozenset(
    {"bool", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"}
)
EFFECTS: tuple[Effect, ...] = ("read", "write", "execute")

AMBIENT = """\
import datetime, json, math, re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
"""
"""Names that sandboxed code can use without importing them; part of the stubs, and true at run time."""

AMBIENT_NAMES = frozenset(
    {"Any", "Decimal", "Literal", "Path", "dataclass", "datetime", "json", "math", "re"}
)


@dataclass(frozen=True)
class ExternalFunctions:
    """The host functions offered to sandboxed code; iterable, in the given order.

    Args:
        functions: typed callables, sync or async. Each becomes a function of its own name. Async ones are
            shown as plain functions (the host awaits them) unless named in `awaited`.
        effects: effect of each function by name, `"read"` where absent. Names of functions that are not
            offered are ignored, so one table can serve several selections.
        hide: fields that sandboxed code shall not see, as `"field"` or `"Model.field"`.
        awaited: async functions shown as `async def`, for concurrent calls through `asyncio.gather`.

    Raises:
        RegistrationError: a parameter, result or name has no form in the sandbox.
    """

    functions: Iterable[Callable[..., Any]]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    hide: Set[str] = frozenset()
    awaited: Set[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", tuple(self.functions))
        object.__setattr__(self, "hide", frozenset(self.hide))
        object.__setattr__(self, "awaited", frozenset(self.awaited))
        _ = self._by_name

    @cached_property
    def _lowering(self) -> Lowering:
        return Lowering(self.hide)

    @cached_property
    def _by_name(self) -> dict[str, ExternalFunction]:
        found: dict[str, ExternalFunction] = {}
        for function in self.functions:
            made = self._make(function)
            if made.name in found:
                raise RegistrationError(f"two functions are named {made.name}()")
            found[made.name] = made
        unknown = self.awaited - found.keys()
        if unknown:
            raise RegistrationError(
                f"awaited names unknown functions: {', '.join(sorted(unknown))}"
            )
        clash = found.keys() & self._lowering.records.keys()
        hidden = self._lowering.records.keys() & (AMBIENT_NAMES | _STUB_NAMES)
        if hidden:
            raise RegistrationError(
                f"the type {min(hidden)} would hide a name every snippet has; rename it"
            )
        if clash:
            raise RegistrationError(f"{min(clash)} is the name of both a function and a type")
        return found

    def _make(self, function: Callable[..., Any]) -> ExternalFunction:
        name = getattr(function, "__name__", "")
        if name in dir(builtins) or name in AMBIENT_NAMES:
            raise RegistrationError(
                f"{name}() would hide what Python means by {name}; give it another name"
            )
        if not name.isidentifier() or name.startswith(RESERVED) or keyword.iskeyword(name):
            raise RegistrationError(
                f"{function!r} needs a public name: a plain identifier that starts with none of "
                f"{', '.join(RESERVED)}"
            )
        signature, hints = _read_signature(name, function)
        parameters = tuple(self._parameter(name, p, hints) for p in signature.parameters.values())
        if "return" not in hints:
            raise RegistrationError(
                f"{name}() has no return annotation; write `-> None` if it returns nothing"
            )
        returns = self._lower(name, "return value", hints["return"])
        effect = self.effects.get(name, "read")
        if effect not in EFFECTS:
            raise RegistrationError(
                f"{name}() has effect {effect!r}; it must be one of {', '.join(EFFECTS)}"
            )
        is_async = inspect.iscoroutinefunction(function)
        if name in self.awaited and not is_async:
            raise RegistrationError(f"{name}() is not async, so it cannot be awaited")
        doc = inspect.getdoc(function)
        return ExternalFunction(
            name, function, parameters, returns, _adapter(name, "return value", hints["return"]), effect,
            is_async, name in self.awaited, doc.strip().splitlines()[0] if doc and doc.strip() else None,
        )  # fmt: skip

    def _parameter(
        self, function: str, parameter: inspect.Parameter, hints: Mapping[str, Any]
    ) -> Parameter:
        if parameter.name not in hints:
            raise RegistrationError(f"{function}() parameter {parameter.name!r} has no annotation")
        annotation = hints[parameter.name]
        where = f"parameter {parameter.name!r}"
        lowered = self._lower(function, where, annotation)
        if typing.get_origin(annotation) is cabc.Iterable:
            annotation = GenericAlias(list, typing.get_args(annotation))  # read more than once
        adapter = _adapter(function, where, annotation)
        return Parameter(parameter.name, lowered, parameter.kind, parameter.default, adapter)

    def _lower(self, function: str, where: str, annotation: Any) -> Lowered:
        try:
            return self._lowering.lower(annotation)
        except UnsupportedTypeError as error:
            raise RegistrationError(f"{function}() {where}: {error}") from None

    def __iter__(self) -> Iterator[ExternalFunction]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> ExternalFunction:
        return self._by_name[name]

    def get(self, name: str) -> ExternalFunction | None:
        """The function of this name, or None."""
        return self._by_name.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The functions' names, in order."""
        return tuple(self._by_name)

    @property
    def records(self) -> Mapping[str, Record]:
        """The record types that arguments and results are made of, by name, dependencies first."""
        return self._lowering.records

    def select(self, names: Iterable[str]) -> ExternalFunctions:
        """The same functions, only those named, in the given order.

        Raises:
            RegistrationError: a name is unknown.
        """
        names = tuple(names)
        unknown = [name for name in names if name not in self]
        if unknown:
            raise RegistrationError(f"unknown function: {', '.join(unknown)}")
        chosen = [self[name].call for name in names]
        return ExternalFunctions(chosen, self.effects, self.hide, self.awaited & set(names))

    def replaced(self, calls: Mapping[str, Callable[..., Any]]) -> ExternalFunctions:
        """The same functions to the model, with other callables behind these names; all must be async."""
        same = ExternalFunctions(self.functions, self.effects, self.hide, self.awaited)
        made = {
            function.name: replace(function, call=calls[function.name], is_async=True)
            if function.name in calls
            else function
            for function in self
        }
        same.__dict__["_by_name"] = made
        return same

    def stubs(self, names: Iterable[str] | None = None, *, descriptions: bool = False) -> str:
        """Render the stubs: record types once, then one line and one docstring line a function.

        Args:
            names: only these functions and the types they use.
            descriptions: add the models' summaries and field descriptions.
        """
        if names is not None:
            return self.select(names).stubs(descriptions=descriptions)
        types = [record.stub(descriptions=descriptions) for record in self.records.values()]
        functions = []
        for function in self:
            body = f"\n    {docstring(function.summary)}" if function.summary else " ..."
            functions.append(f"{function.signature}:{body}")
        return "\n\n".join([AMBIENT.rstrip(), *types, *functions]) + "\n"

    @cached_property
    def _digest(self) -> str:
        effects = "\n".join(f"{function.name} {function.effect}" for function in self)
        return hashlib.sha256(f"{self.stubs(descriptions=True)}\n{effects}".encode()).hexdigest()

    def digest(self) -> str:
        """SHA-256 of the rendering and the effects: equal digests mean an equal contract."""
        return self._digest


def _read_signature(
    name: str, function: Callable[..., Any]
) -> tuple[inspect.Signature, dict[str, Any]]:
    try:
        target = function if inspect.isroutine(function) else type(function).__call__
        return inspect.signature(function), typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise RegistrationError(f"{name}() has a signature that cannot be read: {error}") from None


def _adapter(function: str, where: str, annotation: Any) -> TypeAdapter[Any]:
    try:
        return strict_adapter(annotation)
    except Exception as error:  # noqa: BLE001 - a schema can fail with any error of the type's own code
        raise RegistrationError(f"{function}() {where}: {error}") from None
