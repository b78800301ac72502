"""The sandbox: a session that checks and runs snippets, whose variables live from one to the next."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from pydantic_monty import (
    AsyncMonty,
    AsyncMontySession,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
)

from punie_sandbox._checker import Checker
from punie_sandbox._functions import AMBIENT, ExternalFunctions
from punie_sandbox._hints import hint_for_error
from punie_sandbox._idioms import suspending_names
from punie_sandbox._run import Run, Stopped
from punie_sandbox._source import bound_names, parse
from punie_sandbox._workers import open_pool
from punie_sandbox.errors import SandboxClosedError
from punie_sandbox.limits import Limits
from punie_sandbox.records import Diagnostic, Policy, RunError, RunResult, Status

__all__ = ["Sandbox"]

_LOST = {
    Status.TIME_LIMIT,
    Status.WALL_LIMIT,
    Status.MEMORY_LIMIT,
    Status.STDOUT_LIMIT,
    Status.CRASHED,
}


class Sandbox:
    """Runs snippets of Python that call the given host functions, and nothing else of the host.

    Use it as an async context manager. One sandbox is one session: variables live across runs. A sandbox
    serves one run at a time; open several for concurrency.

    Args:
        functions: what the code may call.
        limits: what one run may use.
        policy: decides about every call before it happens; None allows all.
    """

    def __init__(
        self,
        functions: ExternalFunctions,
        *,
        limits: Limits | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.functions = functions
        self.limits = limits or Limits()
        self.policy = policy
        self._pool: AsyncMonty | None = None
        self._session: AsyncMontySession | None = None
        self._checker: Checker | None = None
        self._names: set[str] = set()
        self._suspending: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        self._pool = await open_pool(workers=3)
        self._checker = Checker(self._pool, self.functions)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._drop()
        if self._checker is not None:
            await self._checker.close()
        pool, self._pool, self._checker = self._pool, None, None
        if pool is not None:
            await pool.__aexit__(None, None, None)

    @property
    def names(self) -> frozenset[str]:
        """The variables that are alive."""
        return frozenset(self._names)

    def stubs(self) -> str:
        """The stubs: exactly what the model is shown and the checker sees."""
        return self.functions.stubs()

    async def check(self, code: str) -> tuple[Diagnostic, ...]:
        """The findings of the check; empty when the code may run. Nothing runs."""
        if self._checker is None:
            raise SandboxClosedError("use the sandbox inside `async with Sandbox(...)`")
        return await self._checker.check(code, self._names, self._suspending)

    async def run(self, code: str) -> RunResult:
        """Check the code, and run it if the check finds nothing. Never raises for what the code does."""
        diagnostics = await self.check(code)
        run = self._new_run(code)
        if diagnostics:
            return self._result(run, Status.CHECK_FAILED, diagnostics=diagnostics)
        try:
            session = await self._open()
            value = await run.start(session, code)
        except BaseException as error:
            if not isinstance(error, (Stopped, MontyError)):
                await self._drop()
                raise
            return await self._failed(run, error)
        self._remember(code)
        return self._result(run, Status.OK, value=value)

    async def reset(self) -> None:
        """Forget all variables."""
        await self._drop()

    def _new_run(self, code: str) -> Run:
        return Run(code, self.functions, self.limits, self.policy)

    def _result(self, run: Run, status: Status, **more: Any) -> RunResult:
        return RunResult(
            status, run.code, stdout="".join(run.stdout), calls=tuple(run.calls), duration=run.duration,
            functions=self.functions.digest(), **more,
        )  # fmt: skip

    def _remember(self, code: str) -> None:
        tree = parse(code)
        if tree is not None:
            self._names |= bound_names(tree)
            self._suspending = (
                suspending_names(tree, self.functions, self._suspending) & self._names
            )

    # -- the session -------------------------------------------------------------------------------------

    async def _open(self) -> AsyncMontySession:
        if self._session is None:
            assert self._pool is not None
            limits: Any = {
                "max_feed_duration_secs": self.limits.seconds,
                "max_memory": self.limits.memory,
                "max_recursion_depth": self.limits.recursion,
                "max_suspensions": 10**9,
            }
            policy: Any = {"random_start": {"seed": 0}, "sleep": "zero"}
            session = self._pool.checkout(limits=limits, os_policy=policy)
            self._session = await session.__aenter__()
            await self._session.feed_run(AMBIENT, skip_type_check=True)
        return self._session

    async def _drop(self) -> None:
        """Give the session up, with its worker if that is still busy."""
        session, self._session = self._session, None
        self._names, self._suspending = set(), frozenset()
        if session is not None:
            try:
                await session.__aexit__(None, None, None)
            except MontyError:  # it is gone, which is what was wanted
                return

    async def _failed(self, run: Run, error: BaseException) -> RunResult:
        status, shown = _outcome(run, error)
        if status in _LOST:
            await self._drop()
            return self._result(run, status, error=shown, state="lost")
        if isinstance(error, Stopped):  # the session is suspended in a call and cannot be fed
            await self._drop()
            return self._result(run, status, error=shown, state="lost")
        await self._remember_assigned(run.code)
        return self._result(run, status, error=shown)

    async def _remember_assigned(self, code: str) -> None:
        """After a failure: find out which of the snippet's names were bound before it."""
        tree = parse(code)
        session = self._session
        for name in (
            sorted(bound_names(tree) - self._names - set(self.functions.names)) if tree else ()
        ):
            assert session is not None
            try:
                await session.feed_run(f"{name}\nNone", skip_type_check=True)
            except MontyError:
                continue
            self._names.add(name)


def _outcome(run: Run, error: BaseException) -> tuple[Status, RunError]:
    stop = run.stop or (error if isinstance(error, Stopped) else None)
    if stop is not None:
        return stop.status, RunError(stop.status.value, stop.message)
    if isinstance(error, MontyCrashedError):
        return Status.CRASHED, RunError("crashed", str(error))
    assert isinstance(error, (MontyRuntimeError, MontySyntaxError))
    inner = error.exception()
    message = str(inner.args[0]) if isinstance(inner, KeyError) and inner.args else str(inner)
    for words, status in _LIMIT_MESSAGES.items():
        if message.startswith(words):
            return status, RunError(status.value, message)
    frames = error.traceback()
    line = frames[0].line if frames else None
    return Status.ERROR, RunError(
        type(inner).__name__, message, line, error.display("traceback"), hint_for_error(message)
    )


_LIMIT_MESSAGES = {
    "feed time limit exceeded": Status.TIME_LIMIT,
    "memory limit exceeded": Status.MEMORY_LIMIT,
    "suspension limit": Status.CALL_LIMIT,
}
