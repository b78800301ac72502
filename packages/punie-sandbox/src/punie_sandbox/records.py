"""What a run leaves behind: its outcome, its calls, its diagnostics. All of it has a JSON form.

The JSON form is the trace format: it holds the code and every call with arguments and results as the
sandboxed code saw them, so that `replay` needs no host and training data can be made from it.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from punie_sandbox._function import Effect
from punie_sandbox._json import decode_any, encode_any

__all__ = [
    "Call", "CallRecord", "Decision", "Diagnostic", "Policy", "RunError", "RunResult", "Status",
    "allow", "ask", "deny",
]  # fmt: skip

TRACE_VERSION = 1


class Status(enum.StrEnum):
    """How a run ended. Everything that can happen has a name here."""

    OK = "ok"
    CHECK_FAILED = "check_failed"
    """Nothing ran: see `diagnostics`."""
    ERROR = "error"
    """The code raised an exception."""
    HOST_ERROR = "host_error"
    """A host function broke its own contract (wrong type, or an error that is not for the code)."""
    TIME_LIMIT = "time_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    CALL_LIMIT = "call_limit"
    STDOUT_LIMIT = "stdout_limit"
    DATA_LIMIT = "data_limit"
    """The code passed more data to the host than it may."""
    CRASHED = "crashed"
    """The worker process died; the next run starts a new one."""
    PENDING = "pending"
    """A call waits for a decision: see `RunResult.pending`."""
    PLAN_STOPPED = "plan_stopped"
    """A plan met a call that cannot be previewed."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding of the check.

    Attributes:
        line: 1-based line in the checked code.
        column: 1-based column, in characters.
        code: rule name, in kebab case.
        message: what is wrong.
        hint: how to write it instead, where this package knows.
    """

    line: int
    column: int
    code: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.line}:{self.column}: {self.message} [{self.code}]"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the policy sees it, before it happens. `arguments` is the JSON form, by parameter name."""

    id: int
    name: str
    arguments: Mapping[str, Any]
    effect: Effect


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy answers to a call."""

    action: Literal["allow", "deny", "ask"]
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.action not in {
            "allow",
            "deny",
            "ask",
        }:  # a misspelt refusal must not pass as consent
            raise ValueError(f"a decision is allow, deny or ask, not {self.action!r}")


allow = Decision("allow")
"""Let the call happen."""
ask = Decision("ask")
"""Stop the run here until `Sandbox.resume` brings a decision."""


def deny(reason: str) -> Decision:
    """Refuse the call: the sandboxed code gets a PermissionError with the reason."""
    return Decision("deny", reason)


Policy: TypeAlias = Callable[[Call], Decision | Awaitable[Decision]]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One host call that was attempted, in the order of attempts.

    Attributes:
        id: number of the call within the run, from 1.
        arguments: JSON, by parameter name, without those equal to their default.
        result: JSON of the result as the sandboxed code saw it; None when there was an error.
        error: `Type: message` as the sandboxed code saw it.
        decision: what the policy said.
        duration: seconds in the host function.
    """

    id: int
    name: str
    arguments: Mapping[str, Any]
    effect: Effect
    decision: str
    result: Any = None
    error: str | None = None
    duration: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The record as JSON data."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CallRecord:
        """The record back from its JSON data."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class RunError:
    """The exception or limit that ended a run.

    Attributes:
        type: name of the exception.
        message: its message.
        line: 1-based line in the run's code, None where the run did not end in the code.
        traceback: as Python would print it, only for exceptions of the code.
        hint: how to write it instead, where this package knows.
    """

    type: str
    message: str
    line: int | None = None
    traceback: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        text = f"{self.type}: {self.message}{place}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything about one run.

    Attributes:
        status: how it ended.
        code: what was run.
        value: value of the last expression; records are named tuples.
        stdout: what was printed.
        calls: the host calls, in order.
        diagnostics: findings of the check; the run did not start if there are any.
        error: what ended it, unless it ended well.
        duration: seconds, without waiting for a person.
        state: `"kept"` when the variables assigned so far live on, `"lost"` when the session had to be
            given up.
        functions: digest of the functions it ran with.
        clock: what the clock said each time the code asked, in seconds since 1970.
        settled: numbers of the awaited calls, in the groups in which their answers came to the code.
        pending: the paused run, when status is `"pending"`; not part of the JSON form.
    """

    status: Status
    code: str
    value: Any = None
    stdout: str = ""
    calls: tuple[CallRecord, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    error: RunError | None = None
    duration: float = 0.0
    state: Literal["kept", "lost"] = "kept"
    functions: str = ""
    clock: tuple[float, ...] = ()
    settled: tuple[tuple[int, ...], ...] = ()
    pending: Any = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return self.status is Status.OK

    def to_json(self) -> dict[str, Any]:
        """The run as JSON data: the trace."""
        return {
            "version": TRACE_VERSION,
            "status": self.status.value,
            "code": self.code,
            "value": encode_any(self.value),
            "stdout": self.stdout,
            "calls": [call.to_json() for call in self.calls],
            "diagnostics": [_plain(diagnostic) for diagnostic in self.diagnostics],
            "error": _plain(self.error) if self.error else None,
            "duration": self.duration,
            "state": self.state,
            "functions": self.functions,
            "clock": list(self.clock),
            "settled": [list(group) for group in self.settled],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunResult:
        """The run back from its trace.

        Raises:
            ValueError: the trace has another version.
        """
        if data.get("version") != TRACE_VERSION:
            raise ValueError(f"trace version {data.get('version')!r} is not {TRACE_VERSION}")
        return cls(
            status=Status(data["status"]),
            code=data["code"],
            value=decode_any(data["value"]),
            stdout=data["stdout"],
            calls=tuple(map(CallRecord.from_json, data["calls"])),
            diagnostics=tuple(Diagnostic(**item) for item in data["diagnostics"]),
            error=RunError(**data["error"]) if data["error"] else None,
            duration=data["duration"],
            state=data["state"],
            functions=data["functions"],
            clock=tuple(data["clock"]),
            settled=tuple(tuple(group) for group in data.get("settled", ())),
        )


def _plain(value: Diagnostic | RunError) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}
