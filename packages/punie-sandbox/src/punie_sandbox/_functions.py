"""The host functions a sandbox offers: their stubs, and the conversion of every argument and result.

Covered: plain and async callables, bound methods, keyword and positional calls, defaults, `*args`,
`**kwargs`, effects, hidden fields. Not covered: overloads, generators, context managers.
"""

from __future__ import annotations

import hashlib
import inspect
import keyword
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from punie_sandbox._form import Lowered, Record, UnsupportedTypeError
from punie_sandbox._lowering import Lowering
from punie_sandbox.errors import RegistrationError

__all__ = [
    "AMBIENT",
    "Effect",
    "ExternalFunction",
    "ExternalFunctions",
    "HostContractError",
    "Parameter",
]

Effect = Literal["read", "write", "execute"]
EFFECTS: tuple[Effect, ...] = ("read", "write", "execute")

AMBIENT = """\
import datetime, json, math, re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
"""
"""Names that sandboxed code can use without importing them; part of the stubs, and true at run time."""

_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


class HostContractError(Exception):
    """A host function returned something other than it declares."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a host function."""

    name: str
    type: Lowered
    kind: Any
    default: Any
    adapter: TypeAdapter[Any]

    @property
    def stub(self) -> str:
        """The parameter as the signature shows it."""
        star = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(
            self.kind, ""
        )
        text = f"{star}{self.name}: {self.type.parameter_stub}"
        if self.default is inspect.Parameter.empty:
            return text
        down = (
            self.type.down(self.default)
            if self.type.down and self.default is not None
            else self.default
        )
        shown = repr(down) if down is None or isinstance(down, (bool, int, float, str)) else "..."
        return f"{text} = {shown}"

    def raise_value(self, value: Any) -> Any:
        """Turn a value from the sandbox into the host's, or raise TypeError/ValueError."""
        try:
            raised = self.type.up(value) if self.type.up else value
            return self.adapter.validate_python(raised)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = "".join(f"[{part!r}]" for part in first["loc"])
            raise TypeError(
                f"argument {self.name!r}{path} must be {self.type.parameter_stub}: {first['msg']}"
            ) from None
        except (AttributeError, TypeError) as error:
            raise TypeError(
                f"argument {self.name!r} must be {self.type.parameter_stub}: {error}"
            ) from None


@dataclass(frozen=True)
class ExternalFunction:
    """One host function as the sandbox offers it."""

    name: str
    call: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    returns: Lowered
    result: TypeAdapter[Any]
    effect: Effect
    is_async: bool
    awaited: bool
    summary: str | None

    @cached_property
    def signature(self) -> str:
        """The one-line signature, as the model and the checker see it: `def f(path: str) -> Result`."""
        parts = [parameter.stub for parameter in self.parameters]
        kinds = [parameter.kind for parameter in self.parameters]
        if inspect.Parameter.POSITIONAL_ONLY in kinds:
            parts.insert(kinds.count(inspect.Parameter.POSITIONAL_ONLY), "/")
        keyword_only = inspect.Parameter.KEYWORD_ONLY
        if keyword_only in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
            first = next(i for i, p in enumerate(self.parameters) if p.kind is keyword_only)
            parts.insert(first + (1 if "/" in parts else 0), "*")
        prefix = "async def" if self.awaited else "def"
        return f"{prefix} {self.name}({', '.join(parts)}) -> {self.returns.stub}"

    def bind(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """Bind and validate a call from the sandbox.

        Returns:
            Positional and keyword arguments for the host function, and the JSON arguments of the record:
            by parameter name, without those equal to their default.

        Raises:
            TypeError: an argument is missing, unknown or of the wrong type (as the sandbox then sees it).
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        rest, extra = list(args), dict(kwargs)
        for parameter in self.parameters:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                raised = [parameter.raise_value(value) for value in rest]
                positional += raised
                if rest:
                    shown[parameter.name] = [_shown(parameter.type, v) for v in raised]
                rest = []
                continue
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                taken = {key: parameter.raise_value(value) for key, value in extra.items()}
                named |= taken
                shown |= {key: _shown(parameter.type, value) for key, value in taken.items()}
                extra = {}
                continue
            self._bind_one(parameter, rest, extra, positional, named, shown)
        if rest:
            raise TypeError(
                f"{self.name}() takes {len(self.parameters)} positional arguments but {len(args)} were given"
            )
        if extra:
            raise TypeError(
                f"{self.name}() got an unexpected keyword argument {next(iter(extra))!r}"
            )
        return positional, named, shown

    def _bind_one(
        self, parameter: Parameter, rest: list[Any], extra: dict[str, Any],
        positional: list[Any], named: dict[str, Any], shown: dict[str, Any],
    ) -> None:  # fmt: skip
        can_be_positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        can_be_named = parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
        if can_be_positional and rest:
            value = rest.pop(0)
            if can_be_named and parameter.name in extra:
                raise TypeError(
                    f"{self.name}() got multiple values for argument {parameter.name!r}"
                )
        elif can_be_named and parameter.name in extra:
            value = extra.pop(parameter.name)
        elif parameter.default is not inspect.Parameter.empty:
            return
        else:
            raise TypeError(f"{self.name}() missing required argument: {parameter.name!r}")
        raised = parameter.raise_value(value)
        if not (type(raised) is type(parameter.default) and raised == parameter.default):
            shown[parameter.name] = _shown(parameter.type, raised)
        if named or not can_be_positional or len(positional) < self.parameters.index(parameter):
            named[parameter.name] = raised
        else:
            positional.append(raised)

    def lower_result(self, value: Any) -> Any:
        """Validate what the host function returned and lower it for the sandbox.

        Raises:
            HostContractError: it is not of the declared type.
        """
        try:
            checked = self.result.validate_python(value)
            return self.returns.down(checked) if self.returns.down else checked
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "".join(f"[{part!r}]" for part in first["loc"])
            message = f"{self.name}() returned {type(value).__name__}{where}, declared {self.returns.stub}: {first['msg']}"
            raise HostContractError(message) from None
        except (AttributeError, TypeError, ValueError) as error:
            message = f"{self.name}() returned a value that cannot enter the sandbox: {error}"
            raise HostContractError(message) from None

    def encode_result(self, lowered: Any) -> Any:
        """The JSON form of a lowered result, as records keep it."""
        return _encode(self.returns, lowered)

    def decode_result(self, data: Any) -> Any:
        """The lowered result back from its JSON form."""
        return self.returns.decode(data) if self.returns.decode else data


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
        if clash:
            raise RegistrationError(f"{min(clash)} is the name of both a function and a type")
        return found

    def _make(self, function: Callable[..., Any]) -> ExternalFunction:
        name = getattr(function, "__name__", "")
        if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
            raise RegistrationError(
                f"{function!r} needs a public name: a plain identifier without leading underscore"
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
            body = f'\n    """{function.summary}"""' if function.summary else " ..."
            functions.append(f"{function.signature}:{body}")
        return "\n\n".join([AMBIENT.rstrip(), *types, *functions]) + "\n"

    @cached_property
    def _digest(self) -> str:
        effects = "\n".join(f"{function.name} {function.effect}" for function in self)
        return hashlib.sha256(f"{self.stubs(descriptions=True)}\n{effects}".encode()).hexdigest()

    def digest(self) -> str:
        """SHA-256 of the rendering and the effects: equal digests mean an equal contract."""
        return self._digest


def _encode(lowered: Lowered, value: Any) -> Any:
    return lowered.encode(value) if lowered.encode else value


def _shown(lowered: Lowered, raised: Any) -> Any:
    """An argument in its record: lowered again first, so that one value has one form."""
    return _encode(lowered, lowered.down(raised) if lowered.down else raised)


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
        return TypeAdapter(annotation, config=_STRICT)
    except PydanticUserError:  # a type with its own configuration refuses another one
        return TypeAdapter(annotation)
    except Exception as error:
        raise RegistrationError(f"{function}() {where}: {error}") from None
