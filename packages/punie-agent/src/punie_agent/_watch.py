"""The thread of events inside one code call, shared by the loop, the policy and the functions.

`run_turn` opens a `CodeWatch` around each run. The policy reports a call when it is attempted and
the observed functions report when it is over; whatever neither of them saw is told from the run's
record at the end, so that every call appears exactly once.
"""

from __future__ import annotations

import functools
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from punie_agent.events import CallFinished, CallStarted, OnEvent

if TYPE_CHECKING:
    from punie_sandbox import Call, CallRecord, RunResult

__all__ = ["CodeWatch", "current_call", "current_watch", "observed", "summarise"]

_current: ContextVar[CodeWatch | None] = ContextVar("punie_code_watch", default=None)
current_call: ContextVar[str | None] = ContextVar("punie_call", default=None)
"""The id of the tool call that this context works for: a host can tell whose file or terminal it is."""


def current_watch() -> CodeWatch | None:
    """The watch of the code that is running in this context, if a turn is watching."""
    return _current.get()


class CodeWatch:
    """Reports the calls of one piece of code, each started and finished once."""

    def __init__(self, code_id: str, emit: OnEvent) -> None:
        self.code_id = code_id
        self._emit = emit
        self._waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        self._open: dict[str, str] = {}
        self._seen: set[str] = set()

    def __enter__(self) -> CodeWatch:
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _current.reset(self._token)

    def call_id(self, number: int) -> str:
        """The id under which the events of a call of this code run."""
        return f"{self.code_id}.{number}"

    def attempted(self, call: Call | CallRecord) -> str:
        """A call was made; returns its id."""
        call_id = self.call_id(call.id)
        if call_id not in self._seen:
            self._seen.add(call_id)
            self._open[call_id] = call.name
            self._emit(CallStarted(self.code_id, call_id, call.name, call.arguments, call.effect))
        return call_id

    def allowed(self, call: Call) -> None:
        """The policy let the call happen: the next run of this function is it."""
        self._waiting[call.name].append(self.call_id(call.id))

    def denied(self, call: Call, reason: str) -> None:
        """The policy refused the call."""
        self._finish(
            self.call_id(call.id), call.name, "deny", "not allowed", f"PermissionError: {reason}"
        )

    def began(self, tool: str) -> str | None:
        """An observed function starts running; returns the id of its call, if it is known."""
        waiting = self._waiting[tool]
        return waiting.popleft() if waiting else None

    def returned(self, call_id: str, tool: str, value: object) -> None:
        """An observed function returned."""
        self._finish(call_id, tool, "allow", summarise(value), None, value)

    def raised(self, call_id: str, tool: str, error: BaseException) -> None:
        """An observed function raised."""
        message = f"{_as_seen(error)}: {error}"
        self._finish(call_id, tool, "allow", "failed", message)

    def close(self, result: RunResult | None) -> None:
        """The run is over: report what only its record knows, and end what is still open."""
        for record in result.calls if result is not None else ():
            call_id = self.attempted(record)
            if call_id in self._open:
                decision = "deny" if record.decision == "deny" else "allow"
                summary = "failed" if record.error else summarise(record.result)
                self._finish(call_id, record.name, decision, summary, record.error, record.result)
        for call_id, tool in list(self._open.items()):
            self._finish(call_id, tool, "allow", "cancelled", "the run ended before the call did")

    def _finish(
        self,
        call_id: str,
        tool: str,
        decision: str,
        summary: str,
        error: str | None,
        value: object = None,
    ) -> None:
        if self._open.pop(call_id, None) is None:
            return
        allowed = "allow" if decision == "allow" else "deny"
        self._emit(CallFinished(self.code_id, call_id, tool, allowed, summary, error, value))


def _as_seen(error: BaseException) -> str:
    """The exception's name in the sandbox, where only built-in types exist."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def observed(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same function, reporting to the watch of the code that calls it."""
    tool = getattr(function, "__name__", "")

    @functools.wraps(function)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        watch = _current.get()
        call_id = watch.began(tool) if watch is not None else None
        if watch is None or call_id is None:
            return await function(*args, **kwargs)
        token = current_call.set(call_id)
        try:
            value = await function(*args, **kwargs)
        except BaseException as error:
            watch.raised(call_id, tool, error)
            raise
        finally:
            current_call.reset(token)
        watch.returned(call_id, tool, value)
        return value

    return watched


_COUNTS: Iterable[tuple[str, str]] = (
    ("error_count", "errors"),
    ("warning_count", "warnings"),
    ("violation_count", "violations"),
    ("passed", "passed"),
    ("failed", "failed"),
    ("reference_count", "references"),
    ("file_count", "files"),
    ("commit_count", "commits"),
)


def summarise(value: object) -> str:
    """One short line about a tool's result."""
    if isinstance(value, str):
        lines = value.splitlines()
        first = lines[0][:80] if lines else ""
        return first if len(lines) <= 1 else f"{len(lines)} lines"
    if value is None:
        return "done"
    counts = [
        f"{number} {label if number != 1 else label.removesuffix('s')}"
        for name, label in _COUNTS
        if isinstance(number := _get(value, name), int)
    ]
    status = _get(value, "status")
    words = [*([str(status).replace("_", " ")] if isinstance(status, str) else []), *counts]
    return ", ".join(words) if words else type(value).__name__


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
