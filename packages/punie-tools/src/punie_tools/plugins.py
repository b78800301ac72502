"""Tools of third parties, found by the entry point group `punie_tools.tools`.

An entry point names an async function whose first parameter is the `Host` it acts on, whose other
parameters are what its caller gives, all annotated, and which returns a `ToolResult` of its own:

    [project.entry-points."punie_tools.tools"]
    count_lines = "my_package:count_lines"

Without the `tool` decorator it counts as `execute`, the effect that asks for most permission.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_type_hints

from punie_tools.errors import PluginError
from punie_tools.results import ToolResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from punie_tools.host import Host

__all__ = ["GROUP", "Effect", "Plugin", "load_plugins", "tool"]

Effect = Literal["read", "write", "execute"]
GROUP = "punie_tools.tools"

_F = TypeVar("_F", bound="Callable[..., Awaitable[Any]]")
_EFFECT = "__punie_effect__"


def tool(effect: Effect) -> Callable[[_F], _F]:
    """Mark a function with what it does to the world: `read`, `write` or `execute`."""

    def mark(function: _F) -> _F:
        setattr(function, _EFFECT, effect)
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Plugin:
    """A third party's tool.

    Attributes:
        name: Its public name.
        function: The async function, which takes the host first.
        effect: What it does to the world.
    """

    name: str
    function: Callable[..., Awaitable[Any]]
    effect: Effect

    @classmethod
    def of(cls, name: str, function: Any) -> Plugin:
        """Return the plug-in of a function, checked.

        Raises:
            PluginError: It is not an async function with a host, annotations and a result model.
        """
        if not name.isidentifier() or not inspect.iscoroutinefunction(function):
            raise PluginError(f"plug-in {name!r} is not an async function with a Python name")
        try:
            hints = get_type_hints(function)
        except (NameError, TypeError) as error:
            raise PluginError(f"plug-in {name!r} has unusable annotations: {error}") from error
        returned = hints.get("return")
        if not (isinstance(returned, type) and issubclass(returned, ToolResult)):
            raise PluginError(f"plug-in {name!r} must return a subclass of ToolResult")
        parameters = list(inspect.signature(function).parameters)
        if not parameters or any(each not in hints for each in parameters[1:]):
            raise PluginError(f"plug-in {name!r} must take the host, then annotated parameters")
        return cls(name, function, getattr(function, _EFFECT, "execute"))

    def bound(self, host: Host) -> Callable[..., Awaitable[Any]]:
        """Return the tool as its callers see it: without the host, under its public name."""

        @functools.wraps(self.function)
        async def call(*args: object, **kwargs: object) -> object:
            return await self.function(host, *args, **kwargs)

        signature = inspect.signature(self.function)
        hints = get_type_hints(self.function)
        given = [
            each.replace(annotation=hints[each.name])
            for each in list(signature.parameters.values())[1:]
        ]
        call.__name__ = call.__qualname__ = self.name
        call.__annotations__ = {each.name: each.annotation for each in given} | {
            "return": hints["return"]
        }
        del call.__wrapped__  # it would show the host again
        setattr(  # noqa: B010 - functions have no such declared attribute
            call, "__signature__", inspect.Signature(given, return_annotation=hints["return"])
        )
        return call


def load_plugins(
    on_error: Callable[[PluginError], None] | None = None,
) -> Mapping[str, Plugin]:
    """Return the installed plug-ins by name, sorted.

    Args:
        on_error: Told of each plug-in that cannot be used, which is then left out.

    Raises:
        PluginError: Without `on_error`: one cannot be imported or is not a tool; the message
            names its package.
    """
    found: dict[str, Plugin] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            found[entry.name] = Plugin.of(entry.name, _loaded(entry))
        except PluginError as error:
            if on_error is None:
                raise
            on_error(error)
    return found


def _loaded(entry: EntryPoint) -> object:
    package = entry.dist.name if entry.dist else "an unknown package"
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # whatever somebody else's module does when imported
        raise PluginError(f"plug-in {entry.name!r} of {package} cannot load: {error}") from error
