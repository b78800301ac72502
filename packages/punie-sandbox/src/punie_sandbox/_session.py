"""One interpreter session and its variables: opened when needed, given up when not to be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic_monty import AsyncMontySession, MontyCrashedError, MontyError

from punie_sandbox._functions import AMBIENT, ExternalFunctions
from punie_sandbox._idioms import suspending_names
from punie_sandbox._modules import (
    loading_code,
    provided_in,
    rewrites_imports,
    with_provided_imports,
)
from punie_sandbox._source import Source, read_source
from punie_sandbox._worker import Worker
from punie_sandbox._workers import Workers
from punie_sandbox.limits import Limits

__all__ = ["Session"]

_DUMP_SECONDS = 5.0


class Session:
    """The interpreter behind a sandbox."""

    def __init__(
        self,
        workers: Workers,
        functions: ExternalFunctions,
        limits: Limits,
        *,
        planning: bool = False,
    ) -> None:
        self._workers = workers
        self._functions = functions
        self._limits = limits
        self._planning = planning
        self._worker: Worker | None = None
        self.names: frozenset[str] = frozenset()
        self.suspending: frozenset[str] = frozenset()
        self.loaded: set[str] = set()

    async def open(self) -> AsyncMontySession:
        """The live session; a new one has nothing but the ambient imports."""
        if self._worker is not None:
            return self._worker.session
        live = await self._checkout()
        await live.feed_run(AMBIENT, skip_type_check=True)
        return live

    async def prepare(self, code: str) -> str:
        """Load the provided modules that the snippet imports; returns the snippet that uses them."""
        source = read_source(code)
        if source.tree is None or not rewrites_imports(source):
            return code
        live = await self.open()
        for name in sorted(provided_in(source) - self.loaded):
            await live.feed_run(loading_code(name), skip_type_check=True)
            self.loaded.add(name)
        return with_provided_imports(code, source.tree)

    async def _checkout(self) -> AsyncMontySession:
        limits: Any = {
            "max_feed_duration_secs": self._limits.seconds,
            "max_memory": self._limits.memory,
            "max_recursion_depth": self._limits.recursion,
            "max_suspensions": 10**9,
        }
        policy: Any = {"random_start": {"seed": 0}, "sleep": "zero", "datetime": "call_host"}
        self._worker = await self._workers.take(
            planning=self._planning, limits=limits, os_policy=policy
        )
        return self._worker.session

    async def load(self, state: bytes, on_print: Callable[[str, str], None]) -> Any:
        """Take up a paused run in a fresh session; returns its suspension."""
        await self.drop()
        live = await self._checkout()
        return await live.load_snapshot(state, print_callback=on_print)

    async def fork(self) -> Session:
        """A second session with the same variables, for a plan."""
        other = Session(self._workers, self._functions, self._limits, planning=True)
        if self._worker is None:
            return other
        state = await self._dumped(self._worker)
        try:
            await (await other._checkout()).load_session(state)
        except BaseException:
            await other.drop(kill=True)
            raise
        other.names, other.suspending = self.names, self.suspending
        other.loaded = set(self.loaded)
        return other

    async def _dumped(self, worker: Worker) -> bytes:
        """The state of the session; a cancelled dump is waited for, so that the session lives on."""
        dump = asyncio.ensure_future(worker.session.dump())
        try:
            return await asyncio.shield(dump)
        except asyncio.CancelledError:
            done, _ = await asyncio.wait([dump], timeout=_DUMP_SECONDS)
            if not done:
                await self.drop(kill=True)
            raise

    @property
    def worker(self) -> int | None:
        """Process id of the worker."""
        return self._worker.pid if self._worker is not None else None

    async def drop(self, *, kill: bool = False) -> None:
        """Give the session up.

        Args:
            kill: end the worker first, because it may still be busy.
        """
        worker, self._worker = self._worker, None
        self.names, self.suspending, self.loaded = frozenset(), frozenset(), set()
        if worker is not None:
            await worker.give_back(kill=kill)

    def remember(self, code: str) -> None:
        """The snippet ran to its end: its names are alive."""
        source = read_source(code)
        if source.bound:
            self.names |= source.bound
            self._learn_functions(source)

    def _learn_functions(self, source: Source) -> None:
        if source.functions or self.suspending:
            earlier = self.suspending - source.bound
            known = suspending_names(source, self._functions, earlier)
            self.suspending = frozenset(known & self.names)

    async def remember_assigned(self, code: str) -> bool:
        """The snippet failed: find out which of its names were bound before. False if the session is dead."""
        source = read_source(code)
        if self._worker is None:
            return False
        for name in sorted(source.bound - self.names):
            try:
                await self._worker.session.feed_run(f"{name}\nNone", skip_type_check=True)
            except MontyCrashedError:
                return False
            except MontyError:
                continue
            self.names |= {name}
        self._learn_functions(source)
        return True
