"""One host function: its signature as the sandbox shows it, and the way of a call's values.

Covered: binding of positional and keyword arguments as Python does it, validation in both directions, the
JSON form for records. Not covered: when a call may happen (`_run`), and how the function is run (`_host`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from punie_sandbox._form import Lowered

__all__ = ["Effect", "ExternalFunction", "HostContractError", "Parameter"]

Effect: TypeAlias = Literal["read", "write", "execute"]


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
        plain = down is None or isinstance(down, (bool, int, str))
        plain = plain or (isinstance(down, float) and math.isfinite(down))
        shown = repr(down) if plain else "..."
        return f"{text} = {shown}"

    def raise_value(self, value: Any) -> Any:
        """Turn a value from the sandbox into the host's, or raise TypeError/ValueError."""
        try:
            raised = self.type.up(value) if self.type.up else value
            return self.adapter.validate_python(raised)
        except ValidationError as error:
            where, message = _first(error)
            raise TypeError(
                f"argument {self.name!r}{where} must be {self.type.parameter_stub}: {message}"
            ) from None
        except Exception as error:  # noqa: BLE001 - the types' own constructors can raise anything
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
                self._refuse_disguised(extra)
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

    def _refuse_disguised(self, extra: Mapping[str, Any]) -> None:
        """Refuse what Python allows: a free keyword with the name of a parameter.

        Arguments are shown by name, to the policy and in records. There the keyword would take the place of
        the argument that the host function gets.
        """
        for parameter in self.parameters:
            if parameter.name in extra:
                raise TypeError(
                    f"{self.name}() cannot take the keyword argument {parameter.name!r}: "
                    "another parameter has this name"
                )

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
            where, problem = _first(error)
            message = (
                f"{self.name}() returned {type(value).__name__}{where}, "
                f"declared {self.returns.stub}: {problem}"
            )
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


def _first(error: ValidationError) -> tuple[str, str]:
    """Where in the value the first problem is, and which one."""
    first = error.errors(include_url=False)[0]
    return "".join(f"[{part!r}]" for part in first["loc"]), first["msg"]


def _encode(lowered: Lowered, value: Any) -> Any:
    return lowered.encode(value) if lowered.encode else value


def _shown(lowered: Lowered, raised: Any) -> Any:
    """An argument in its record: lowered again first, so that one value has one form."""
    return _encode(lowered, lowered.down(raised) if lowered.down else raised)
