"""What ends a run before its end, as an exception of the host loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic_monty import AsyncFunctionSnapshot

from punie_sandbox.records import Call, Status

__all__ = ["Paused", "Stopped", "broken", "leaving"]

_T = TypeVar("_T")


class Stopped(Exception):  # noqa: N818 - control flow, not an error
    """The run must end here, with this outcome."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Paused(Exception):  # noqa: N818 - control flow, not an error
    """The policy wants a person to decide about this call."""

    def __init__(self, call: Call, snapshot: AsyncFunctionSnapshot) -> None:
        super().__init__(call.name)
        self.call = call
        self.snapshot = snapshot


def broken(message: str) -> Stopped:
    """The end of a run whose host function broke its own contract."""
    return Stopped(Status.HOST_ERROR, message)


def leaving(read: Callable[[], _T]) -> _T:
    """A value from the sandbox; the host's form of it is only made when it is asked for.

    Raises:
        Stopped: the host has no such value: a named tuple with a field `_0`, say.
    """
    try:
        return read()
    except (TypeError, ValueError) as error:
        message = f"passed a value that the host cannot hold: {error}"
        raise Stopped(Status.DATA_LIMIT, message) from None
