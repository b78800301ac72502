"""Repeated whole-project checks by a server that is trusted only where it was proven right.

The first check runs the command line and the server side by side. Where both say the same, the
server alone answers from then on, until something changes that could make them differ: the
configuration, what is installed, a deleted file, a file that is not UTF-8, or the server's death.
Then the command line answers, and trust has to be earned again.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from typing import TYPE_CHECKING

from punie_tools._checks import typecheck
from punie_tools._snapshot import Snapshot, take_snapshot
from punie_tools._ty_server import TyServer
from punie_tools.errors import ServerError, ToolMissingError
from punie_tools.results import ToolRun, TypeCheckError, TypeCheckResult

if TYPE_CHECKING:
    from pathlib import Path

    from punie_tools._runner import Runner

__all__ = ["Daemon"]


class Daemon:
    """Answers whole-project checks of one workspace, and lends its server for questions."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._server: TyServer | None = None
        self._lock = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._proven: Snapshot | None = None

    async def close(self) -> None:
        """End the server."""
        server, self._server, self._proven = self._server, None, None
        if server is not None:
            await server.close()

    async def server(self) -> TyServer:
        """Return the running server, started when there is none.

        Raises:
            ServerError: It cannot be started.
            ToolMissingError: ty is not installed.
        """
        async with self._starting:
            if self._server is not None and not self._server.alive:
                await self.close()
            if self._server is None:
                timeout = self._runner.timeout
                self._server = await TyServer.start(
                    self._runner.host, timeout=timeout, whole_workspace=True
                )
            return self._server

    async def typecheck(self) -> TypeCheckResult:
        """Return what `ty check .` says."""
        async with self._lock:
            now = await asyncio.to_thread(take_snapshot, self._runner.root)
            if await self._trusted(now):
                started = time.perf_counter()
                errors = await self._diagnose(now)
                if errors is not None and self._server is not None:
                    return _result(errors, self._server, time.perf_counter() - started)
            return await self._prove(now)

    async def _prove(self, before: Snapshot) -> TypeCheckResult:
        """Return the command line's answer, and find out whether the server gives the same."""
        self._proven = None
        if self._server is not None and self._server.alive is False:
            await self.close()
        told, errors = await asyncio.gather(typecheck(self._runner, "."), self._diagnose(before))
        after = await asyncio.to_thread(take_snapshot, self._runner.root)
        same = told.status in {"clean", "findings"} and errors == told.errors
        if same and after == before and not await asyncio.to_thread(_narrowed, self._runner.root):
            self._proven = before
        return told

    async def _diagnose(self, now: Snapshot) -> list[TypeCheckError] | None:
        """Return the server's diagnostics, or None where it has none to give."""
        try:
            return await (await self.server()).diagnose(now)
        except (ServerError, ToolMissingError):
            await self.close()
            return None

    async def _trusted(self, now: Snapshot) -> bool:
        """Return whether the server's answer must be the command line's."""
        proven = self._proven
        if proven is None or self._server is None or not self._server.alive:
            return False
        if proven.configuration != now.configuration:
            await self.close()  # it may have read the old configuration for good
            return False
        changes = proven.changes_to(now)
        if 3 in changes.values():
            return False
        return await asyncio.to_thread(_all_text, list(changes))


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

    `src.include` counts for the server, and not for a path given on the command line.
    """
    for name, keys in (("pyproject.toml", ("tool", "ty", "src")), ("ty.toml", ("src",))):
        try:
            table: object = tomllib.loads((root / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return True
        for key in keys:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict) and "include" in table:
            return True
    return False
