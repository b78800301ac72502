"""From what ended a run to its named outcome."""

from __future__ import annotations

import re

from pydantic_monty import MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from punie_sandbox._hints import hint_for_error
from punie_sandbox._run import Run
from punie_sandbox._stops import Stopped
from punie_sandbox.records import RunError, Status

__all__ = ["outcome_of"]

_TIME = "feed time limit exceeded"
_WORKER_MEMORY = "the worker exceeded its memory limit"
_MEMORY = re.compile(r"memory limit exceeded: \d+ bytes > \d+ bytes")


def _limit(inner: BaseException, message: str, *, somewhere: bool) -> Status | None:
    """The limit that ended the run, if one did; what a host function or the code says of limits is none.

    Args:
        inner: the exception.
        message: its text.
        somewhere: whether some line of the code raised it.
    """
    if isinstance(inner, MemoryError) and _MEMORY.fullmatch(message):
        return Status.MEMORY_LIMIT
    if somewhere:
        return None
    if message.startswith(_WORKER_MEMORY):
        return Status.MEMORY_LIMIT
    return Status.TIME_LIMIT if message.startswith(_TIME) else None


def outcome_of(run: Run, error: Stopped | MontyError) -> tuple[Status, RunError]:
    """The status and the error of a run that did not reach its end."""
    stop = error if isinstance(error, Stopped) else run.stop
    if stop is not None:
        return stop.status, RunError(stop.status.value, f"{stop.message}; {_done(run)}")
    if isinstance(error, MontyCrashedError):
        if error.timed_out:
            return Status.TIME_LIMIT, RunError(
                Status.TIME_LIMIT.value, f"computed too long; {_done(run)}"
            )
        return Status.CRASHED, RunError(Status.CRASHED.value, f"{error}; {_done(run)}")
    if not isinstance(error, (MontyRuntimeError, MontySyntaxError)):
        return Status.ERROR, RunError(type(error).__name__, str(error))
    inner = error.exception()
    message = str(inner.args[0]) if isinstance(inner, KeyError) and inner.args else str(inner)
    frames = error.traceback()
    status = _limit(inner, message, somewhere=bool(frames))
    if status is not None:
        return status, RunError(status.value, f"{message}; {_done(run)}")
    line = frames[0].line if frames else None
    hint = hint_for_error(message)
    return Status.ERROR, RunError(
        type(inner).__name__, message, line, error.display("traceback"), hint
    )


def _done(run: Run) -> str:
    """What had happened when a limit ended the run: calls are not undone."""
    if not run.calls:
        return "no host call had been made"
    counts: dict[str, int] = {}
    for call in run.calls:
        counts[call.name] = counts.get(call.name, 0) + 1
    listed = ", ".join(
        f"{name}() {count}x" if count > 1 else f"{name}()" for name, count in counts.items()
    )
    return f"made before it: {listed}"
