"""Repeated whole-project checks by a server that is trusted only where it was proven right.

The first check runs the command line and the server side by side. Where both say the same, the
server alone answers from then on, until something changes that could make them differ: the
configuration, what is installed, a directory, a deleted file, a file that is not UTF-8, or the
server's death. Then the command line answers, and trust has to be earned again. A server that has
read another configuration than the present one is replaced before it is asked anything.

Not trusted at all: a project that narrows what is checked or has notebooks, TY_CONFIG_FILE, a server
that does not say what it reads outside of the workspace, or reads too much there to be looked at.

While it is trusted, the files are looked at a few times a second, and the server is asked about an
edit when it is seen: most often the answer is there before the question.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from punie_tools._checks import typecheck
from punie_tools._snapshot import (
    TICK_NS,
    Snapshot,
    outside_of,
    read_regular,
    settings_of,
    take_snapshot,
)
from punie_tools._ty_server import TyServer
from punie_tools.errors import ServerError, ToolMissingError
from punie_tools.results import ToolRun, TypeCheckError, TypeCheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from punie_tools._runner import Runner
    from punie_tools._snapshot import Stamp
    from punie_tools._watched import Watched

__all__ = ["Daemon"]

_PAUSE_S = 0.2
#: The share of one core's time that looking at the files may take, and that asking about edits may.
_LOOKING, _ASKING = 0.05, 0.5
#: Without a check for so long, nobody is waiting for an answer.
_IDLE_S = 600.0
#: How often a server is started while the configuration changes under it.
_STARTS = 3


class _Answer(NamedTuple):
    """What the server said about a state of the files."""

    about: Snapshot
    errors: list[TypeCheckError]
    version: str | None


class Daemon:
    """Answers whole-project checks of one workspace, and lends its server for questions."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._server: TyServer | None = None
        #: The configuration that the server read when it started.
        self._read: dict[str, Stamp] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._proven: Snapshot | None = None
        self._last: _Answer | None = None
        self._watching: asyncio.Task[None] | None = None
        self._asked = 0.0

    async def close(self) -> None:
        """End the server, and stop looking at the files; a check that is on its way answers without it."""
        await self._enter()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        async with self._starting:  # one that is just coming up is ended too
            await self._give_up()

    async def server(self) -> TyServer:
        """Return the running server, started when there is none with the present configuration.

        Raises:
            ServerError: It cannot be started.
            ToolMissingError: ty is not installed.
        """
        await self._enter()
        async with self._starting:
            if self._server is not None and (
                not self._server.alive or (await self._look()).configuration != self._read
            ):
                await self._give_up()
            if self._server is None:
                self._server, self._read = await self._start()
            return self._server

    async def typecheck(self) -> TypeCheckResult:
        """Return what `ty check .` says."""
        started = self._asked = time.monotonic()
        await self._enter()
        async with self._lock:
            answer = await self._by_server(await self._look())
            if answer is not None:
                result = _result(answer, time.monotonic() - started)
            else:
                result = await self._prove()
            self._watch()
            return result

    async def _enter(self) -> None:
        """Leave what belongs to another event loop behind: `asyncio.run` is called again."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop, self._lock, self._starting = loop, asyncio.Lock(), asyncio.Lock()
        watching, self._watching = self._watching, None
        if watching is not None and not watching.get_loop().is_closed():
            watching.cancel()
        await self._give_up()

    async def _start(self) -> tuple[TyServer, dict[str, Stamp]]:
        """Start a server; return the configuration that it read, which is none if it changed."""
        for _ in range(_STARTS - 1):
            server, read = await self._start_once()
            if read:
                return server, read
            await server.close()
            # Within a tick of the clock, a file can change again without a new stamp.
            await asyncio.sleep(TICK_NS / 1e9)
        return await self._start_once()

    async def _start_once(self) -> tuple[TyServer, dict[str, Stamp]]:
        before = await self._look()
        if _newest(before) > time.time_ns() - TICK_NS:
            await asyncio.sleep(TICK_NS / 1e9)
        began = time.time_ns()
        runner = self._runner
        server = await TyServer.start(runner.host, timeout=runner.timeout, whole_workspace=True)
        try:
            same = (await self._look()).configuration == before.configuration
            # What it reads outside of the workspace was not looked at before.
            now = await self._look(server.watched)
        except BaseException:
            await server.close()
            raise
        return server, now.configuration if same and _newest(now) <= began - TICK_NS else {}

    async def _look(self, watched: Watched | None = None) -> Snapshot:
        """Return what is on disk, where a server reads outside of the workspace too."""
        if watched is None and self._server is not None:
            watched = self._server.watched
        root, environment = self._runner.root, self._runner.environment()
        files, folders = (watched.files, watched.folders) if watched is not None else ((), ())
        return await asyncio.to_thread(
            lambda: take_snapshot(root, (*outside_of(root, environment), *files), folders)
        )

    async def _give_up(self) -> None:
        """End the server; the next check proves another one."""
        server, self._server, self._proven, self._last = self._server, None, None, None
        if server is not None:
            await server.close()

    async def _by_server(self, now: Snapshot) -> _Answer | None:
        """Return the server's answer, or None where it need not be the command line's."""
        proven, server = self._proven, self._server
        if proven is None or server is None or not await self._trusted(proven, now):
            return None
        answer = await self._diagnose(server, now)
        if answer is None or self._proven is not proven:  # a question gave the server up meanwhile
            return None
        self._proven = now
        return answer

    async def _prove(self) -> TypeCheckResult:
        """Return the command line's answer, and find out whether the server gives the same."""
        self._proven = None
        server = await self._candidate()
        if server is None:
            return await typecheck(self._runner, ".")
        before = await self._look()
        told, answer = await asyncio.gather(
            typecheck(self._runner, "."), self._diagnose(server, before)
        )
        after = await self._look()
        if answer is None or told.status not in {"clean", "findings"} or after != before:
            return told
        if answer.errors == told.errors:
            if self._server is server and before.whole and before.configuration == self._read:
                self._proven = before
        elif self._server is server:
            await self._give_up()  # it knows something that is not so, and would keep it
        return told

    async def _candidate(self) -> TyServer | None:
        """Return a server that may be trusted once it is proven, or None."""
        environment = self._runner.environment()
        # The server does not obey this variable, and the command line does.
        if "TY_CONFIG_FILE" in environment or await asyncio.to_thread(
            _narrowed, self._runner.root, environment
        ):
            return None
        if self._with_notebooks(await self._look()):
            return None
        try:
            server = await self.server()
        except (ServerError, ToolMissingError):
            await self._give_up()
            return None
        return server if server.watched is not None else None

    async def _diagnose(self, server: TyServer, now: Snapshot) -> _Answer | None:
        """Return the server's answer, or None where it has none to give."""
        last = self._last
        if (
            last is None
            or last.about.configuration != now.configuration
            or last.about.changes_to(now)
        ):
            try:
                last = _Answer(now, await server.diagnose(now), server.version)
            except ServerError:
                last = None
            if self._server is not server:
                return None
            if last is None:
                await self._give_up()
            self._last = last
        return last

    async def _trusted(self, proven: Snapshot, now: Snapshot) -> bool:
        """Return whether the server's answer must be the command line's."""
        if self._server is None or not self._server.alive:
            return False
        if self._read != now.configuration:
            await self._give_up()  # it may have read the old configuration for good
            return False
        changes = proven.changes_to(now)
        if 3 in changes.values() or not now.whole or self._with_notebooks(now):
            return False
        return await asyncio.to_thread(_all_text, list(changes))

    def _with_notebooks(self, now: Snapshot) -> bool:
        """Return whether there are notebooks to check; ty's server keeps quiet about them."""
        below = f"{self._runner.root}/"
        return any(each.endswith(".ipynb") and each.startswith(below) for each in now.sources)

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


def _result(answer: _Answer, duration: float) -> TypeCheckResult:
    run = ToolRun(argv=["ty", "server"], tool_version=answer.version, duration=duration)
    status = "findings" if answer.errors else "clean"
    return TypeCheckResult(status=status, errors=answer.errors, run=run)


def _newest(snapshot: Snapshot) -> int:
    """Return when the configuration changed last, as the file system counts."""
    return max((stamp[-1] for stamp in snapshot.configuration.values()), default=0)


def _all_text(paths: list[str]) -> bool:
    """Return whether all files can be read as UTF-8; ty's server keeps quiet about others."""
    try:
        for path in paths:
            read_regular(path).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _narrowed(root: Path, environment: Mapping[str, str]) -> bool:
    """Return whether the project checks less by itself than `ty check .` does.

    `src.include` counts for the server, and not for a path given on the command line. The project
    may begin above the workspace, and the user may have settings of their own.
    """
    names = (("pyproject.toml", ("tool", "ty", "src")), ("ty.toml", ("src",)))
    files = [(folder / name, keys) for folder in (root, *root.parents) for name, keys in names]
    files.append((settings_of(environment) / "ty" / "ty.toml", ("src",)))
    for path, keys in files:
        try:
            table: object = tomllib.loads(read_regular(str(path)).decode("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            return True
        for key in keys:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict) and "include" in table:
            return True
    return False
