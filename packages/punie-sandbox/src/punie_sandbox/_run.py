"""The host loop of one run: every suspension of the sandboxed code is answered here and nowhere else.

Covered: the policy's decision, argument and result conversion, budgets, records, sync and async host
functions, concurrent awaited calls, printed text. Not covered: checking and session upkeep (`_sandbox`).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncFutureSnapshot,
    AsyncMontySession,
    AsyncNameLookupSnapshot,
    MontyComplete,
    MontyConversionError,
    MontyRuntimeError,
)

from punie_sandbox._clock import CLOCKS
from punie_sandbox._function import ExternalFunction, HostContractError
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._host import LateError, as_builtin, as_text, invoke, named_only, raised
from punie_sandbox._size import LONGEST_INT, written_size
from punie_sandbox._stops import Paused, Stopped, broken, leaving
from punie_sandbox._worker import begin_feed
from punie_sandbox.errors import CannotPreviewError
from punie_sandbox.limits import Limits
from punie_sandbox.records import Call, CallRecord, Decision, Policy, Status

__all__ = ["Run"]

_MAX_SUSPENSIONS = 10_000
_MAX_DEPTH = 200
_GRACE_SECONDS = 1.0
_UNANSWERED = "CancelledError: the run ended before the call did"
_PATIENCE_SECONDS = 0.02


def _is_ours(error: MontyRuntimeError) -> bool:
    """Whether it is about a value of the host that cannot cross: no line of the code raised it."""
    message = str(error.exception())
    return not error.traceback() and (
        message.endswith("surrogates not allowed") or message.startswith("Cannot convert")
    )


def _refuse_unwritable(bits: int) -> None:
    if bits > LONGEST_INT:
        raise ValueError("an integer of thousands of digits cannot be passed to a tool")


@dataclass
class Run:
    """The state of one run, outside the sandbox."""

    code: str
    functions: ExternalFunctions
    limits: Limits
    policy: Policy | None
    planning: bool = False
    worker: int | None = None
    stopped_at: Call | None = None
    calls: list[CallRecord] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    printed: int = 0
    started: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    earlier: float = 0.0
    stop: Stopped | None = None
    decided: Decision | None = None
    tasks: dict[int, asyncio.Task[dict[str, Any]]] = field(default_factory=dict)
    settled: dict[int, dict[str, Any]] = field(default_factory=dict)
    record_of: dict[int, int] = field(default_factory=dict)
    groups: list[list[int]] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    watchdog: asyncio.TimerHandle | None = None
    asked: int = 0
    crossed: int = 0

    @property
    def duration(self) -> float:
        """Seconds used so far, without waiting for a person."""
        return self.earlier + time.monotonic() - self.started - self.waited

    @property
    def remaining(self) -> float:
        """Seconds of wall clock left."""
        return self.limits.wall_seconds - self.duration

    # -- what the worker tells -------------------------------------------------------------------------

    def on_print(self, _stream: str, text: str) -> None:
        """Collect printed text; past the limit the worker is stopped, because printing cannot be."""
        if self.stop is not None:
            return
        size = len(text.encode("utf-8", "replace"))
        if self.printed + size > self.limits.stdout:
            room = self.limits.stdout - self.printed
            self.stdout.append(text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore"))
            self.printed = self.limits.stdout
            self.halt(Stopped(Status.STDOUT_LIMIT, f"printed more than {self.limits.stdout} bytes"))
            return
        self.printed += size
        self.stdout.append(text)

    def halt(self, stop: Stopped) -> None:
        """End the run from outside: the worker is killed, which the loop sees as a crash."""
        self.stop = self.stop or stop
        if self.worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.worker, signal.SIGKILL)

    async def advance(self, resume: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """Let the sandboxed code go on until its next suspension, within the wall clock."""
        if self.stop is not None:
            raise self.stop
        if self.watchdog is None:
            self.watch()
        try:
            return await resume(*args, **named)
        except RuntimeError:  # the session was closed in this very moment
            if self.stop is None:
                raise
            raise self.stop from None
        except (MontyRuntimeError, MontyConversionError, TypeError) as error:
            if isinstance(error, MontyRuntimeError) and not _is_ours(error):
                raise
            raise broken(f"a host function gave what cannot enter the sandbox: {error}") from None

    def watch(self) -> None:
        """Arm the watchdog for what is left of the wall clock.

        Raises:
            Stopped: nothing is left.
        """
        remaining = self.remaining
        if remaining <= 0:
            raise self._wall()
        self.watchdog = asyncio.get_running_loop().call_later(remaining, self.halt, self._wall())

    def unwatch(self) -> None:
        """Disarm the watchdog: the run is over, or a person is asked."""
        if self.watchdog is not None:
            self.watchdog.cancel()
            self.watchdog = None

    def _wall(self) -> Stopped:
        return Stopped(Status.WALL_LIMIT, f"took longer than {self.limits.wall_seconds:g} s")

    # -- the loop ----------------------------------------------------------------------------------------

    async def start(self, session: AsyncMontySession, code: str) -> Any:
        """Run the code to its end and return its value."""
        self.worker = session.worker_pid
        self.started = time.monotonic()
        self.watch()
        try:
            snapshot = await begin_feed(
                session, code, print_callback=self.on_print, skip_type_check=True
            )
        except BaseException:
            self.unwatch()
            raise
        return await self.drive(snapshot)

    async def drive(self, snapshot: Any) -> Any:
        """Answer suspensions until the code is done.

        Raises:
            Stopped: a limit was exceeded.
            Paused: the policy asks for a person.
            MontyError: the code raised, or the worker died.
        """
        try:
            while not isinstance(snapshot, MontyComplete):
                if self.stop is not None:
                    raise self.stop
                snapshot = await self._answer(snapshot)
            if self.stop is not None:
                raise self.stop
        except Paused:
            await self._settle()
            raise
        finally:
            self.unwatch()
            if self.tasks:
                await self._abandon()
        value = leaving(lambda: snapshot.output)
        self.cross(value)
        return value

    async def _answer(self, snapshot: Any) -> Any:
        self.asked += 1
        if self.asked > _MAX_SUSPENSIONS:
            raise Stopped(Status.CALL_LIMIT, f"asked the host more than {_MAX_SUSPENSIONS} times")
        if isinstance(snapshot, AsyncFunctionSnapshot):
            if snapshot.is_os_function:
                return await self._answer_system(snapshot)
            answer = await self._call(snapshot)
            return await self.advance(snapshot.resume, answer)
        if isinstance(snapshot, AsyncNameLookupSnapshot):
            function = self.functions.get(snapshot.variable_name)
            if function is None:
                return await self.advance(snapshot.resume)
            return await self.advance(snapshot.resume, value=named_only(function.name))
        assert isinstance(snapshot, AsyncFutureSnapshot)
        answers = await self._gathered(snapshot.pending_call_ids)
        return await self.advance(snapshot.resume, answers)

    async def _answer_system(self, snapshot: AsyncFunctionSnapshot) -> Any:
        """The clock is the host's, and recorded; nothing else of the system exists."""
        read = CLOCKS.get(str(snapshot.function_name))
        if read is None:
            return await self.advance(snapshot.resume_not_handled)
        now = self.now()
        self.clock.append(now)
        return await self.advance(snapshot.resume, {"return_value": read(now, snapshot.args)})

    def now(self) -> float:
        """Seconds since 1970; a replay overrides it."""
        return time.time()

    def cross(self, *values: Any) -> int:
        """Count values that come from the sandbox, before anything walks them.

        Returns:
            Bits of the longest integer in them.

        Raises:
            Stopped: too much has come, or a value is nested too deeply.
        """
        longest = 0
        for value in values:
            size, depth, bits = written_size(value)
            longest = max(longest, bits)
            self.crossed += size
            if self.crossed > self.limits.data:
                raise Stopped(
                    Status.DATA_LIMIT, f"passed more than {self.limits.data} bytes to the host"
                )
            if depth > _MAX_DEPTH:
                raise Stopped(
                    Status.DATA_LIMIT, f"passed a value nested more than {_MAX_DEPTH} levels deep"
                )
        return longest

    async def _gathered(self, pending: list[int]) -> dict[int, Any]:
        """Answers for some of the awaited calls, as soon as there are any; the trace says which."""
        answers = {number: self.settled.pop(number) for number in pending if number in self.settled}
        if not answers:
            answers = await self._arrived(pending)
        self.groups.append([self.record_of[number] for number in answers])
        return answers

    async def _arrived(self, pending: list[int]) -> dict[int, Any]:
        tasks = {number: self.tasks[number] for number in pending}
        done, _ = await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        ready = [number for number, task in tasks.items() if task in done]
        return {number: self.tasks.pop(number).result() for number in ready}

    async def _settle(self) -> None:
        """Wait for the awaited calls that are on their way: their answers are part of a paused run."""
        for number, task in list(self.tasks.items()):
            self.settled[number] = await task
            del self.tasks[number]

    async def _abandon(self) -> None:
        """End the awaited calls that nobody waits for any more, before the run is over."""
        left = dict(self.tasks)
        self.tasks.clear()
        for task in left.values():
            task.cancel()
        done, _ = await asyncio.wait(left.values(), timeout=_GRACE_SECONDS)
        for number, task in left.items():
            if task not in done or task.cancelled():
                self._unanswered(self.calls[self.record_of[number] - 1])
            else:
                task.exception()  # seen; the run has an outcome of its own

    def _unanswered(self, record: CallRecord) -> None:
        """A call that was ended did not return None, which is how its record would read."""
        self.calls[record.id - 1] = replace(record, error=_UNANSWERED)

    # -- one call ----------------------------------------------------------------------------------------

    async def _call(self, snapshot: AsyncFunctionSnapshot) -> dict[str, Any]:
        function = self.functions.get(str(snapshot.function_name))
        if function is None:
            return raised(NameError(f"name {snapshot.function_name!r} is not defined"))
        if len(self.calls) >= self.limits.calls:
            raise Stopped(Status.CALL_LIMIT, f"made more than {self.limits.calls} host calls")
        number = len(self.calls) + 1
        args, kwargs = leaving(lambda: (snapshot.args, snapshot.kwargs))
        crossed = self.crossed
        longest = self.cross(*args, *kwargs.values())
        try:
            _refuse_unwritable(longest)
            positional, named, shown = function.bind(args, kwargs)
        except (TypeError, ValueError) as error:
            wrong = as_builtin(error)
            record = CallRecord(
                number, function.name, {}, function.effect, "invalid", error=as_text(wrong)
            )
            self.calls.append(record)
            return raised(wrong)
        call = Call(number, function.name, shown, function.effect)
        if self.planning and function.effect == "execute":
            raise self._no_preview(call, f"{function.name}() executes, which cannot be previewed")
        decision = await self._decide(call)
        if decision.action == "ask":
            if self.planning:
                raise self._no_preview(call, f"{function.name}() must be asked about first")
            self.asked, self.crossed = self.asked - 1, crossed  # counted when it is resumed
            raise Paused(call, snapshot)
        if decision.action == "deny":
            refusal = PermissionError(decision.reason or f"{function.name}() was not allowed")
            self._record(call, "deny", error=as_text(refusal))
            return raised(refusal)
        self._record(call, "allow")  # its place in the order of attempts; completed below
        if function.awaited:
            work = self._perform(function, call, positional, named)
            self.record_of[snapshot.call_id] = call.id
            self.tasks[snapshot.call_id] = asyncio.get_running_loop().create_task(work)
            return {"future": ...}
        return await self._perform(function, call, positional, named)

    def _no_preview(self, call: Call, message: str) -> Stopped:
        self._record(call, "plan", error=message)
        self.stopped_at = call
        return Stopped(Status.PLAN_STOPPED, message)

    def _record(self, call: Call, decision: str, **outcome: Any) -> None:
        record = CallRecord(call.id, call.name, call.arguments, call.effect, decision, **outcome)
        if call.id > len(self.calls):
            self.calls.append(record)
        else:
            self.calls[call.id - 1] = record

    async def _decide(self, call: Call) -> Decision:
        if self.decided is not None:
            decision, self.decided = self.decided, None
            return decision
        if self.policy is None or (self.planning and call.effect == "write"):
            return Decision("allow")  # the writes of a plan are approved together, as its diff
        began = time.monotonic()
        answer = self.policy(call)
        if inspect.isawaitable(answer):
            self.unwatch()  # a person may be asked, and people take their time
            try:
                return await answer
            finally:
                self.waited += time.monotonic() - began
        took = time.monotonic() - began
        if took > _PATIENCE_SECONDS:  # a person was asked, at a prompt that blocks
            self.unwatch()
            self.waited += took
        return answer

    async def _perform(
        self, function: ExternalFunction, call: Call, positional: list[Any], named: dict[str, Any]
    ) -> dict[str, Any]:
        began = time.perf_counter()
        limit = min(self.limits.call_seconds, self.remaining)
        try:
            value = await invoke(function, positional, named, limit)
            lowered = function.lower_result(value)
        except Stopped:
            raise
        except CannotPreviewError as error:
            raise self._no_preview(call, str(error)) from None
        except LateError:
            if self.remaining <= 0:
                self._record(call, "allow", error=_UNANSWERED, duration=time.perf_counter() - began)
                raise Stopped(
                    Status.WALL_LIMIT, f"{self._wall().message}, in {function.name}()"
                ) from None
            error = TimeoutError(f"{function.name}() took longer than {limit:g} s")
        except HostContractError as wrong:
            self._record(call, "allow", error=as_text(wrong), duration=time.perf_counter() - began)
            raise broken(str(wrong)) from None
        except Exception as exception:  # noqa: BLE001 - it goes to the code
            error = exception
        else:
            result = function.encode_result(lowered)
            self._record(call, "allow", result=result, duration=time.perf_counter() - began)
            return {"return_value": lowered}
        seen = as_builtin(error)
        self._record(call, "allow", error=as_text(seen), duration=time.perf_counter() - began)
        return raised(seen)
