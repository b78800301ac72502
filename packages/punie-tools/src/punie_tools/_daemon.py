"""Repeated whole-project checks by a server that is trusted only where it was proven right.

The first check runs the command line and the server side by side. Where both say the same, the
server alone answers from then on, until something changes that could make them differ: the
configuration, what is installed, a deleted file, a file that is not UTF-8, or the server's death.
Then the command line answers, and trust has to be earned again.

While it is trusted, the files are looked at a few times a second, and the server is asked about an
edit when it is seen: most often the answer is there before the question.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from punie_tools._checks import typecheck
from punie_tools._snapshot import Snapshot, outside_of, take_snapshot
from punie_tools._ty_server import TyServer
from punie_tools.errors import ServerError, ToolMissingError
from punie_tools.results import ToolRun, TypeCheckError, TypeCheckResult

if TYPE_CHECKING:
    from pathlib import Path

    from punie_tools._runner import Runner

__all__ = ["Daemon"]

_PAUSE_S = 0.2
#: The share of one core's time that looking at the files may take, and that asking about edits may.
_LOOKING, _ASKING = 0.05, 0.5
#: Without a check for so long, nobody is waiting for an answer.
_IDLE_S = 600.0


class _Answer(NamedTuple):
    """What the server said about a state of the files."""

    about: Snapshot
    errors: list[TypeCheckError]


class Daemon:
    """Answers whole-project checks of one workspace, and lends its server for questions."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._server: TyServer | None = None
        self._lock = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._proven: Snapshot | None = None
        self._last: _Answer | None = None
        self._watching: asyncio.Task[None] | None = None
        self._asked = 0.0

    async def close(self) -> None:
        """End the server, and stop looking at the files."""
        watching, self._watching = self._watching, None
        if watching is not None and not watching.get_loop().is_closed():
            watching.cancel()
            await asyncio.wait([watching])
        await self._give_up()

    async def server(self) -> TyServer:
        """Return the running server, started when there is none.

        Raises:
            ServerError: It cannot be started.
            ToolMissingError: ty is not installed.
        """
        async with self._starting:
            if self._server is not None and not self._server.alive:
                await self._give_up()
            if self._server is None:
                timeout = self._runner.timeout
                self._server = await TyServer.start(
                    self._runner.host, timeout=timeout, whole_workspace=True
                )
            return self._server

    async def typecheck(self) -> TypeCheckResult:
        """Return what `ty check .` says."""
        started = self._asked = time.monotonic()
        async with self._lock:
            now = await self._look()
            errors = await self._by_server(now)
            if errors is not None and self._server is not None:
                result = _result(errors, self._server, time.monotonic() - started)
            else:
                result = await self._prove(now)
            self._watch()
            return result

    async def _look(self) -> Snapshot:
        root, environment = self._runner.root, self._runner.environment()
        return await asyncio.to_thread(lambda: take_snapshot(root, outside_of(root, environment)))

    async def _give_up(self) -> None:
        """End the server; the next check proves another one."""
        server, self._server, self._proven, self._last = self._server, None, None, None
        if server is not None:
            await server.close()

    async def _by_server(self, now: Snapshot) -> list[TypeCheckError] | None:
        """Return the server's diagnostics, or None where they need not be the command line's."""
        if not await self._trusted(now):
            return None
        errors = await self._diagnose(now)
        if errors is not None:
            self._proven = now
        return errors

    async def _prove(self, before: Snapshot) -> TypeCheckResult:
        """Return the command line's answer, and find out whether the server gives the same."""
        self._proven = None
        if self._server is not None and self._server.alive is False:
            await self._give_up()
        told, errors = await asyncio.gather(typecheck(self._runner, "."), self._diagnose(before))
        after = await self._look()
        same = told.status in {"clean", "findings"} and errors == told.errors
        if same and after == before and not await asyncio.to_thread(_narrowed, self._runner.root):
            self._proven = before
        return told

    async def _diagnose(self, now: Snapshot) -> list[TypeCheckError] | None:
        """Return the server's diagnostics, or None where it has none to give."""
        if self._last is not None and not self._last.about.changes_to(now):
            return self._last.errors
        try:
            errors = await (await self.server()).diagnose(now)
        except (ServerError, ToolMissingError):
            await self._give_up()
            return None
        self._last = _Answer(now, errors)
        return errors

    async def _trusted(self, now: Snapshot) -> bool:
        """Return whether the server's answer must be the command line's."""
        proven = self._proven
        if proven is None or self._server is None or not self._server.alive:
            return False
        if proven.configuration != now.configuration:
            await self._give_up()  # it may have read the old configuration for good
            return False
        changes = proven.changes_to(now)
        if 3 in changes.values():
            return False
        return await asyncio.to_thread(_all_text, list(changes))

    def _watch(self) -> None:
        """Begin to look ahead, if there is something to look ahead with."""
        if self._proven is not None and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._look_ahead())

    async def _look_ahead(self) -> None:
        """Ask the server about each edit when it is seen, until it is no longer trusted."""
        pause = _PAUSE_S
        while self._proven is not None and time.monotonic() - self._asked < _IDLE_S:
            await asyncio.sleep(pause)
            async with self._lock:
                started = time.monotonic()
                now = await self._look()
                looked = time.monotonic()
                # A state it is not trusted with is for the next check, by the command line.
                if await self._by_server(now) is None:
                    return
                asked = time.monotonic()
            pause = max(_PAUSE_S, (looked - started) / _LOOKING, (asked - looked) / _ASKING)


def _result(errors: list[TypeCheckError], server: TyServer, duration: float) -> TypeCheckResult:
    run = ToolRun(argv=["ty", "server"], tool_version=server.version, duration=duration)
    return TypeCheckResult(status="findings" if errors else "clean", errors=errors, run=run)


def _all_text(paths: list[str]) -> bool:
    """Return whether all files can be read as UTF-8; ty's server keeps quiet about others."""
    try:
        for path in paths:
            with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - many files
                file.read()
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _narrowed(root: Path) -> bool:
    """Return whether the project checks less by itself than `ty check .` does.

    `src.include` counts for the server, and not for a path given on the command line. The project
    may begin above the workspace.
    """
    for folder in (root, *root.parents):
        for name, keys in (("pyproject.toml", ("tool", "ty", "src")), ("ty.toml", ("src",))):
            try:
                table: object = tomllib.loads((folder / name).read_text(encoding="utf-8"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError):
                return True
            for key in keys:
                table = table.get(key, {}) if isinstance(table, dict) else {}
            if isinstance(table, dict) and "include" in table:
                return True
    return False
