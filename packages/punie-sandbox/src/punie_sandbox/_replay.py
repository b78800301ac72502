"""Replay: the code of a trace runs again, and every answer of the host comes from the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from punie_sandbox._function import ExternalFunction
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._host import BUILTIN_NAMES
from punie_sandbox._run import Run
from punie_sandbox._stops import broken
from punie_sandbox.errors import ReplayError
from punie_sandbox.limits import Limits
from punie_sandbox.records import Call, CallRecord, Decision, RunResult, Status, deny

__all__ = ["ReplayRun", "settled_answers"]


def answer_of(record: CallRecord, functions: ExternalFunctions) -> dict[str, Any]:
    """What the sandbox was told about a call, from its record.

    Raises:
        ReplayError: the record holds no answer, or none of this function.
    """
    if record.error is not None:
        kind, _, message = record.error.partition(": ")
        if kind not in BUILTIN_NAMES:
            raise ReplayError(
                f"call {record.id}, {record.name}(), ends in no exception of a host function: {record.error}"
            )
        return {"exc_type": kind, "message": message}
    try:
        return {"return_value": functions[record.name].decode_result(record.result)}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ReplayError(
            f"call {record.id}, {record.name}(), has no answer in the trace: {error}"
        ) from None


def settled_answers(run: Run) -> dict[int, dict[str, Any]]:
    """Answers of awaited calls that were done when a run was paused."""
    return {
        number: answer_of(run.calls[record - 1], run.functions)
        for number, record in run.record_of.items()
    }


@dataclass
class ReplayRun(Run):
    """A run whose host is a trace."""

    trace: Sequence[CallRecord] = ()
    times: list[float] = field(default_factory=list)
    of_run: RunResult | None = None

    @classmethod
    def of(cls, trace: RunResult, functions: ExternalFunctions, limits: Limits) -> Self:
        """Prepare the replay of a trace.

        Raises:
            ReplayError: it was made for other functions.
        """
        if trace.functions != functions.digest():
            raise ReplayError("the trace was made for other functions")
        return cls(
            trace.code,
            functions,
            limits,
            None,
            trace=trace.calls,
            times=list(trace.clock),
            of_run=trace,
        )

    def now(self) -> float:
        """The time the trace recorded."""
        if len(self.clock) >= len(self.times):
            raise ReplayError(
                f"the code asks for the time more than {len(self.times)} times, as recorded"
            )
        return self.times[len(self.clock)]

    def _recorded(self, call: Call) -> CallRecord:
        if call.id > len(self.trace):
            raise ReplayError(f"call {call.id}, {call.name}(), is not in the trace")
        record = self.trace[call.id - 1]
        if (record.name, dict(record.arguments)) != (call.name, dict(call.arguments)):
            raise ReplayError(
                f"call {call.id} is {call.name}({dict(call.arguments)!r}), "
                f"in the trace {record.name}({dict(record.arguments)!r})"
            )
        return record

    async def _gathered(self, pending: list[int]) -> dict[int, Any]:
        """Answers come in the groups of the trace, however long each took then."""
        assert self.of_run is not None
        if len(self.groups) >= len(self.of_run.settled):
            raise ReplayError("the code waits for more calls than in the trace")
        group = self.of_run.settled[len(self.groups)]
        chosen = [number for number in pending if self.record_of[number] in group]
        if len(chosen) != len(group):
            raise ReplayError(f"the code does not wait for calls {', '.join(map(str, group))}")
        self.groups.append([self.record_of[number] for number in chosen])
        return {number: await self.tasks.pop(number) for number in chosen}

    async def _decide(self, call: Call) -> Decision:
        record = self._recorded(call)
        if record.decision == "plan":
            raise self._no_preview(call, record.error or "")
        if record.decision == "deny":
            return deny((record.error or "").partition(": ")[2])
        return Decision("allow")

    async def _perform(
        self,
        function: ExternalFunction,  # noqa: ARG002 - the trace answers instead of the function
        call: Call,
        positional: list[Any],  # noqa: ARG002
        named: dict[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        record = self._recorded(call)
        self._record(
            call, "allow", result=record.result, error=record.error, duration=record.duration
        )
        if record.error is not None and record.error.startswith("HostContractError"):
            raise broken(record.error.partition(": ")[2])
        return answer_of(record, self.functions)

    def _unanswered(self, record: CallRecord) -> None:
        """How far a call came that nobody waited for, the trace says."""
        self.calls[record.id - 1] = self.trace[record.id - 1]

    def stamped(self, result: RunResult) -> RunResult:
        """The result with the trace's duration, so that an equal run is an equal trace.

        Raises:
            ReplayError: the code came to its end without all calls of the trace.
        """
        assert self.of_run is not None
        if result.status in {Status.OK, Status.ERROR} and len(result.calls) < len(self.trace):
            raise ReplayError(
                f"the code makes {len(result.calls)} calls, in the trace are {len(self.trace)}"
            )
        return replace(result, duration=self.of_run.duration)
