"""`AcpHost`: the workspace through the editor where the editor offers it, locally where it does not.

Each operation decides alone: files are read and written through the editor (so unsaved changes are
seen and undo works) if it offered that, commands meant for a person's eyes run in its terminal if it
offered that. Commands whose output a machine reads always run locally with streams apart.

An operation that the editor offered and then refused is not done behind its back: the refusal is the
result. The exceptions are a file that the editor does not know and a method it turns out not to have.
Every path is contained to the session's directories first, either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from acp import schema

from punie_agent.acp.editor import EditorError
from punie_tools import Completed, LocalHost
from punie_tools.errors import ToolsError
from punie_tools.paths import contain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from punie_agent.acp.editor import Editor

__all__ = ["AcpHost", "for_a_person"]

for_a_person: ContextVar[bool] = ContextVar("for_a_person", default=False)
"""Whether the command being run is for a person to watch rather than for a parser to read."""

_MOST_BYTES = 32 * 1024 * 1024
_TERMINAL_BYTES = 1024 * 1024
_UNKNOWN = {-32002, -32601}


class AcpHost:
    """The `Host` of one session.

    Args:
        local: the same workspace without the editor.
        editor: what the client offers.
        session_id: the session the client knows the operations by.
        wrote: told of each file written: absolute path, the text before (None: no such file), after.
        opened: told the id of each terminal as it starts.
    """

    def __init__(
        self,
        local: LocalHost,
        editor: Editor,
        session_id: str,
        *,
        wrote: Callable[[Path, str | None, str], None],
        opened: Callable[[str], None],
    ) -> None:
        self._local = local
        self._editor = editor
        self._session_id = session_id
        self._wrote = wrote
        self._opened = opened
        self._late: set[asyncio.Task[None]] = set()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The session's directories; the first is its working directory."""
        return self._local.roots

    async def read_text(self, path: str | Path) -> str:
        """Return a file's text, as it stands in the editor where that has it open."""
        full = contain(path, self.roots)
        _refuse_huge(full, path)
        if self._editor.features.read_files:
            try:
                return await self._editor.read_file(self._session_id, str(full))
            except EditorError as error:
                if error.code not in _UNKNOWN and full.exists():
                    raise
        return await self._local.read_text(path)

    async def write_text(self, path: str | Path, text: str) -> None:
        """Replace a file, through the editor where that takes files."""
        full = contain(path, self.roots)
        old = await self._old_text(path)
        if self._editor.features.write_files:
            try:
                full.parent.mkdir(parents=True, exist_ok=True)
                await self._editor.write_file(self._session_id, str(full), text)
            except EditorError as error:
                if error.code != -32601:
                    raise
                await self._local.write_text(path, text)
        else:
            await self._local.write_text(path, text)
        self._wrote(full, old, text)

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the terminal must be killed, not abandoned
    ) -> Completed:
        """Run a command: in the editor's terminal if a person is to see it, else locally."""
        if for_a_person.get() and self._editor.features.terminals:
            directory = self.roots[0] if cwd is None else contain(cwd, self.roots)
            try:
                return await self._run_in_terminal(argv, directory, env, timeout)
            except EditorError as error:
                if error.code != -32601:
                    raise
        return await self._local.run(argv, cwd=cwd, env=env, timeout=timeout)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> asyncio.subprocess.Process:
        """Start a process that keeps running, such as a language server; always locally."""
        return await self._local.spawn(argv, cwd=cwd, env=env)

    async def _old_text(self, path: str | Path) -> str | None:
        try:
            return await self.read_text(path)
        except (OSError, ValueError):
            return None

    async def _run_in_terminal(
        self,
        argv: Sequence[str],
        directory: Path,
        env: Mapping[str, str | None] | None,
        limit: float | None,
    ) -> Completed:
        request = schema.CreateTerminalRequest(
            session_id=self._session_id,
            command=argv[0],
            args=list(argv[1:]),
            cwd=str(directory),
            env=[
                schema.EnvVariable(name=k, value=v) for k, v in (env or {}).items() if v is not None
            ],
            output_byte_limit=_TERMINAL_BYTES,
        )
        started = time.monotonic()
        terminal = await self._created(request)
        try:
            self._opened(terminal)
            code, timed_out = await self._wait(terminal, limit)
            output = await self._editor.terminal_output(self._session_id, terminal)
        finally:
            await self._release(terminal)
        return Completed(
            exit_code=code,
            stdout=output.output.encode(errors="replace"),
            stderr=b"",
            argv=tuple(argv),
            duration=time.monotonic() - started,
            timed_out=timed_out,
            cut=bool(output.truncated),
        )

    async def _created(self, request: schema.CreateTerminalRequest) -> str:
        """Open a terminal; one that the editor opens for a turn that is over by then is let go of at once."""
        creating = asyncio.ensure_future(self._editor.create_terminal(request))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            late = asyncio.ensure_future(self._release_late(creating))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            raise

    async def _release_late(self, creating: asyncio.Future[str]) -> None:
        with contextlib.suppress(EditorError):
            await self._release(await creating)

    async def _wait(self, terminal: str, limit: float | None) -> tuple[int, bool]:
        try:
            async with asyncio.timeout(limit):
                ended = await self._editor.wait_for_exit(self._session_id, terminal)
        except TimeoutError:
            await self._editor.kill_terminal(self._session_id, terminal)
            return -signal.SIGKILL, True
        if ended.exit_code is not None:
            return ended.exit_code, False
        return -_signal_number(ended.signal), False

    async def _release(self, terminal: str) -> None:
        """Let go of the terminal whatever happens, cancellation included; that ends its command."""
        with contextlib.suppress(EditorError):
            await asyncio.shield(self._editor.release_terminal(self._session_id, terminal))


def _refuse_huge(full: Path, path: str | Path) -> None:
    try:
        size = full.stat().st_size
    except OSError:
        return
    if size > _MOST_BYTES:
        raise FileTooLargeError(
            f"{path} has {size} bytes; files above {_MOST_BYTES} are not read: look at a part of it "
            "with run_command, for example `head -c 20000`"
        )


class FileTooLargeError(ToolsError, OSError):
    """A file too large to be read into a conversation."""


def _signal_number(name: str | None) -> int:
    try:
        return signal.Signals[name or "SIGKILL"]
    except KeyError:
        return signal.SIGKILL
