"""Running one host function, and what its exceptions become in the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from punie_sandbox._function import ExternalFunction

__all__ = ["BUILTIN_NAMES", "LateError", "as_builtin", "as_text", "invoke", "named_only", "raised"]


class LateError(Exception):
    """The call took longer than it may; a TimeoutError of the function itself is not this."""


async def invoke(
    function: ExternalFunction, positional: list[Any], named: dict[str, Any], limit: float
) -> Any:
    """Run the function: async ones here, others in a thread.

    Raises:
        LateError: it took longer than the limit, in seconds.
        RuntimeError: it was cancelled from inside, which would pass for a cancelled run.
    """
    if function.is_async:
        work = function.call(*positional, **named)
    else:
        work = asyncio.to_thread(_called, function.call, positional, named)
    clock = asyncio.timeout(limit)
    try:
        async with clock:
            return await work
    except TimeoutError:
        if clock.expired():
            raise LateError from None
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("the function was cancelled") from error


def _called(call: Callable[..., Any], positional: list[Any], named: dict[str, Any]) -> Any:
    try:
        return call(*positional, **named)
    except (
        StopIteration
    ) as error:  # no future can hold one: whoever waits for it would wait for ever
        raise RuntimeError("the function raised StopIteration") from error
    except Exception:
        raise
    except BaseException as error:  # a command line's `sys.exit`, say, would end the event loop
        message = f"the function raised {type(error).__name__}: {error}"
        raise RuntimeError(message) from error


_BUILTIN: tuple[type[BaseException], ...] = (
    FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError, TimeoutError,
    ZeroDivisionError, OverflowError, ArithmeticError, IndexError, KeyError, LookupError, NotImplementedError,
    RecursionError, RuntimeError, ModuleNotFoundError, ImportError, AttributeError, AssertionError,
    UnicodeError, ValueError, TypeError, NameError, OSError,
)  # fmt: skip


BUILTIN_NAMES = frozenset(kind.__name__ for kind in _BUILTIN)
"""What `as_builtin` makes of exceptions, by name."""


def as_builtin(error: Exception) -> Exception:
    """The nearest exception that exists in the sandbox; another type keeps its name in the message."""
    kind = next((kind for kind in _BUILTIN if isinstance(error, kind)), RuntimeError)
    if kind is UnicodeError:
        kind = ValueError
    message = _message(error)
    if not isinstance(error, _BUILTIN):
        message = f"{type(error).__name__}: {message}"
    made = kind(message)
    assert isinstance(made, Exception)
    return made


def _message(error: Exception) -> str:
    """The exception's text, as text that can cross: one of the host may fail at that, too."""
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:  # noqa: BLE001 - whatever its own `__str__` raises
        return "(its text cannot be read)"
    return text.encode("utf-8", "replace").decode("utf-8")


def raised(error: Exception) -> dict[str, Any]:
    """The answer that raises this built-in exception in the sandbox."""
    return {"exc_type": type(error).__name__, "message": str(error.args[0]) if error.args else ""}


def as_text(error: BaseException) -> str:
    """The exception as records keep it: `Type: message`."""
    return f"{type(error).__name__}: {error.args[0] if error.args else ''}"


def named_only(name: str) -> Callable[[], None]:
    """A host function by its name alone: only calls through the loop reach the real one."""

    def function() -> None: ...

    function.__name__ = name
    return function
