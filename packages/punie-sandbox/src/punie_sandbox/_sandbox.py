"""The sandbox: checks and runs snippets whose variables live from one to the next."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any, Literal, Self

from pydantic_monty import AsyncFunctionSnapshot, MontyCrashedError, MontyError

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._outcome import outcome_of
from punie_sandbox._pending import Pending, open_dump, seal_dump
from punie_sandbox._replay import ReplayRun, settled_answers
from punie_sandbox._run import Run
from punie_sandbox._session import Session
from punie_sandbox._stops import Paused, Stopped
from punie_sandbox._workers import Workers
from punie_sandbox.errors import PendingRunError, PlanError, SandboxClosedError, SnapshotError
from punie_sandbox.limits import Limits
from punie_sandbox.preview import Overlay, Plan, Preview
from punie_sandbox.records import Call, CallRecord, Decision, Diagnostic, Policy, RunResult, Status

__all__ = ["Sandbox"]


class Sandbox:
    """Runs snippets of Python that call the given host functions, and nothing else of the host.

    Use it as an async context manager, or `open` and `close` it. One sandbox is one session: variables
    live across runs, and one run goes at a time. Open several for concurrency, on shared `workers` when
    there are many.

    Args:
        functions: what the code may call.
        limits: what one run may use.
        policy: decides about every call before it happens; None allows all.
        preview: how plans are made; None means that `plan` cannot be used.
        signing_key: signs paused runs. The default is random, so that only this sandbox can resume them.
        workers: shared worker processes; None means its own.
    """

    def __init__(
        self,
        functions: ExternalFunctions,
        *,
        limits: Limits | None = None,
        policy: Policy | None = None,
        preview: Preview | None = None,
        signing_key: bytes | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.functions = functions
        self.limits = limits or Limits()
        self.policy = policy
        self.preview = preview
        self._key = signing_key or os.urandom(32)
        self._shared = workers
        self._own: Workers | None = None
        self._session: Session | None = None
        self._pending = False
        self._running: Run | None = None
        self._answered: set[bytes] = set()
        self._turn = asyncio.Lock()

    async def open(self) -> Self:
        """Open the sandbox outside an `async with` block; `close` it when done."""
        if self._session is None:
            if self._shared is None:
                self._own = await Workers(sessions=2).__aenter__()
            self._session = Session(self._workers, self.functions, self.limits)
        return self

    async def close(self) -> None:
        """End the session and its workers; a run that is under way ends as crashed."""
        await self._close(kill=self._turn.locked())

    async def _close(self, *, kill: bool) -> None:
        if self._running is not None:
            self._running.halt(Stopped(Status.CRASHED, "the sandbox was closed"))
        session, self._session = self._session, None
        if session is not None:
            await session.drop(kill=kill)
        own, self._own = self._own, None
        if own is not None:
            await own.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close(kill=kind is not None or self._turn.locked())

    @property
    def _workers(self) -> Workers:
        workers = self._shared or self._own
        if workers is None:
            raise SandboxClosedError("use the sandbox inside `async with Sandbox(...)`")
        return workers

    def _open_session(self) -> Session:
        if self._session is None:
            raise SandboxClosedError("use the sandbox inside `async with Sandbox(...)`")
        return self._session

    @property
    def names(self) -> frozenset[str]:
        """The variables that are alive."""
        return self._open_session().names

    def stubs(self) -> str:
        """The stubs: exactly what the model is shown and the checker sees."""
        return self.functions.stubs()

    # -- the four verbs ----------------------------------------------------------------------------------

    async def check(self, code: str) -> tuple[Diagnostic, ...]:
        """The findings of the check; empty when the code may run. Nothing runs."""
        return await self._check(self._open_session(), code)

    async def run(self, code: str) -> RunResult:
        """Check the code, and run it if the check finds nothing.

        What the code does wrong is never an exception but a status of the result.

        Raises:
            PendingRunError: an earlier run waits for a decision.
            BusyError: too many sandboxes use the shared workers.
        """
        async with self._turn:
            session = self._open_session()
            if self._pending:
                raise PendingRunError(
                    "a run waits for a decision: `resume` it, or `reset` the sandbox"
                )
            run = Run(code, self.functions, self.limits, self.policy)
            return await self._checked(run, session)

    async def resume(self, blob: bytes, decision: Decision) -> RunResult:
        """Go on with a paused run; its variables take the place of the session's.

        One sandbox goes on with a paused run once. Whoever keeps the bytes across processes sees to it that
        they are used once there, too.

        Args:
            blob: from `RunResult.pending.dump()`, of this process or another one with the same signing key.
            decision: about the call it waits for: `allow`, or `deny(reason)`.

        Raises:
            SnapshotError: the bytes are no paused run of these functions, were changed, or were answered
                before.
        """
        async with self._turn:
            session = self._open_session()
            header, state = open_dump(self._key, blob, self.functions.digest())
            fingerprint = hashlib.sha256(blob).digest()
            if fingerprint in self._answered:
                raise SnapshotError("this paused run was answered before; start it again")
            run = Run(header["code"], self.functions, self.limits, self.policy)
            _restore(run, header)
            try:
                snapshot = await session.load(state, run.on_print)
            except MontyError as error:
                await session.drop(kill=True)
                raise SnapshotError(f"the paused run cannot be loaded: {error}") from error
            except BaseException:  # cancelled: the session is in the middle of something
                await session.drop(kill=True)
                raise
            session.names = frozenset(header["names"])
            session.suspending = frozenset(header["suspending"])
            session.loaded = set(header["loaded"])
            run.worker, run.decided, self._pending = session.worker, decision, False
            self._answered.add(fingerprint)
            return await self._finish(run, session, lambda: run.drive(snapshot))

    def waiting(self, blob: bytes) -> Pending:
        """What a paused run waits for, read from its bytes: the call to ask about, and its code.

        Raises:
            SnapshotError: as for `resume`.
        """
        header, _ = open_dump(self._key, blob, self.functions.digest())
        return Pending(Call(**header["call"]), header["code"], blob)

    async def plan(self, code: str) -> Plan:
        """Run the code against an overlay of the files. Neither files nor variables change.

        Raises:
            PlanError: the sandbox was made without `preview`, or the preview's functions differ from its own.
        """
        if self.preview is None:
            raise PlanError("give the sandbox `preview=Preview(...)` to make plans")
        async with self._turn:
            overlay = Overlay(self.preview.files)
            functions = self.preview.functions(overlay)
            if functions.digest() != self.functions.digest():
                raise PlanError("the functions of the preview do not render like the sandbox's own")
            run = Run(code, functions, self.limits, self.policy, planning=True)
            result = await self._planned(run, self._open_session())
            stopped = run.stopped_at if result.status is Status.PLAN_STOPPED else None
            return Plan(result, overlay.changes(), stopped, overlay)

    async def _planned(self, run: Run, session: Session) -> RunResult:
        try:
            fork = await session.fork()
        except MontyError as error:  # the worker died since the last run
            return await self._failed(run, session, error)
        try:
            return await self._checked(run, fork)
        finally:
            await fork.drop(kill=True)

    async def replay(self, trace: RunResult) -> RunResult:
        """Run a trace's code again with the recorded answers; no host function is called.

        Traces of one session are replayed in their order on one sandbox.

        Raises:
            ReplayError: the trace was made for other functions, or the code asks for other calls.
        """
        async with self._turn:
            session = self._open_session()
            run = ReplayRun.of(trace, self.functions, self.limits)
            return run.stamped(await self._checked(run, session))

    async def reset(self) -> None:
        """Forget all variables, and a run that waits for a decision."""
        async with self._turn:
            self._pending = False
            await self._open_session().drop()

    # -- one run -----------------------------------------------------------------------------------------

    async def _check(self, session: Session, code: str) -> tuple[Diagnostic, ...]:
        return await self._workers.check(self.functions, code, session.names, session.suspending)

    async def _checked(self, run: Run, session: Session) -> RunResult:
        diagnostics = await self._check(session, run.code)
        if diagnostics:
            return self._result(run, Status.CHECK_FAILED, diagnostics=diagnostics)

        async def begin() -> Any:
            code = await session.prepare(run.code)
            return await run.start(await session.open(), code)

        return await self._finish(run, session, begin)

    async def _finish(
        self, run: Run, session: Session, begin: Callable[[], Awaitable[Any]]
    ) -> RunResult:
        """Run to the end, whatever that is, and leave the session fit for the next run."""
        self._running = run
        try:
            value = await begin()
        except Paused as paused:
            return await self._pause(run, session, paused)
        except (Stopped, MontyError) as error:
            return await self._failed(run, session, error)
        except BaseException:
            await session.drop(kill=True)
            raise
        finally:
            self._running = None
        session.remember(run.code)
        return self._result(run, Status.OK, value=value)

    async def _failed(self, run: Run, session: Session, error: Stopped | MontyError) -> RunResult:
        status, shown = outcome_of(run, error)
        try:
            kept = status is Status.ERROR and await session.remember_assigned(run.code)
        except BaseException:  # cancelled: the session is in the middle of something
            await session.drop(kill=True)
            raise
        if not kept:  # the session is dead, or suspended in a call, or its heap cannot be trusted
            await session.drop(kill=not isinstance(error, MontyCrashedError))
        state: Literal["kept", "lost"] = "kept" if kept else "lost"
        return self._result(run, status, error=shown, state=state)

    async def _pause(self, run: Run, session: Session, paused: Paused) -> RunResult:
        header = {
            "functions": self.functions.digest(),
            "call": asdict(paused.call),
            "code": run.code,
            "names": sorted(session.names),
            "suspending": sorted(session.suspending),
            "loaded": sorted(session.loaded),
            "calls": [call.to_json() for call in run.calls],
            "stdout": "".join(run.stdout),
            "clock": run.clock,
            "duration": run.duration,
            "settled": {str(number): run.record_of[number] for number in run.settled},
            "groups": run.groups,
            "asked": run.asked,
            "crossed": run.crossed,
        }
        blob = seal_dump(self._key, header, _dumped(paused.snapshot))
        pending = Pending(paused.call, run.code, blob)
        await session.drop()
        self._pending = True
        return self._result(run, Status.PENDING, pending=pending)

    def _result(self, run: Run, status: Status, **more: Any) -> RunResult:
        return RunResult(
            status,
            run.code,
            stdout="".join(run.stdout),
            calls=tuple(run.calls),
            duration=run.duration,
            functions=self.functions.digest(),
            clock=tuple(run.clock),
            settled=tuple(tuple(group) for group in run.groups),
            **more,
        )


def _dumped(snapshot: AsyncFunctionSnapshot) -> bytes:
    return snapshot.dump()


def _restore(run: Run, header: dict[str, Any]) -> None:
    run.calls = [CallRecord.from_json(record) for record in header["calls"]]
    run.stdout = [header["stdout"]]
    run.printed = len(header["stdout"].encode("utf-8", "replace"))
    run.clock = list(header["clock"])
    run.earlier = header["duration"]
    run.asked, run.crossed = header["asked"], header["crossed"]
    run.record_of = {int(number): record for number, record in header["settled"].items()}
    run.settled = settled_answers(run)
    run.groups = [list(group) for group in header["groups"]]
