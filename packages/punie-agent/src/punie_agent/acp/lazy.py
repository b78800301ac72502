"""Waiting that a cancel ends: for a turn, and for the workspace that its first turn opens.

Opening a workspace may take as long as the slowest MCP server. It happens once, ahead of the first prompt;
a turn that is cancelled meanwhile ends at once, and the opening goes on for the next one.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Sequence

    from punie_agent.acp.editor import Editor
    from punie_agent.acp.mcp import ServerConfig
    from punie_agent.acp.store import StoredSession
    from punie_agent.acp.workspace import Workspace
    from punie_agent.loop import TurnResult
    from punie_agent.permissions import Mode

__all__ = ["GRACE", "LazyWorkspace", "TurnCancelledError", "finished", "held"]

GRACE = 10.0
"""Seconds that a turn has for ending by itself when it is cancelled."""
_T = TypeVar("_T")


class TurnCancelledError(Exception):
    """The turn was cancelled while it waited for something that does not watch for that itself."""


class LazyWorkspace:
    """A session's workspace, opened when it is first wanted.

    Args:
        editor: what the client offers.
        stored: the session: its directories and its mode.
        servers: its MCP servers.
    """

    def __init__(
        self, editor: Editor, stored: StoredSession, servers: Sequence[ServerConfig]
    ) -> None:
        self._editor = editor
        self._stored = stored
        self._servers = servers
        self._opening: asyncio.Task[Workspace] | None = None
        self._made: Workspace | None = None

    def set_mode(self, mode: Mode) -> None:
        """Change the mode of the workspace, if there is one; a later one begins with the session's mode."""
        if self._made is not None:
            self._made.permissions.mode = mode

    async def get(self, cancel: asyncio.Event) -> Workspace:
        """Return the workspace.

        Raises:
            TurnCancelledError: `cancel` was set before it was open.
        """
        opening = self._opening = self._opening or asyncio.create_task(self._open())
        try:
            return await _unless(cancel, asyncio.shield(opening))
        finally:
            if opening.done() and (opening.cancelled() or opening.exception() is not None):
                self._opening = None  # the next turn tries again

    async def close(self) -> None:
        """Let go of the workspace, also of one that is still opening."""
        opening, self._opening, self._made = self._opening, None, None
        if opening is None:
            return
        opening.cancel()
        [workspace] = await asyncio.gather(opening, return_exceptions=True)
        if not isinstance(workspace, BaseException):
            await workspace.close()

    async def _open(self) -> Workspace:
        workspace_type = await asyncio.to_thread(_import_workspace)
        header = self._stored.header
        roots = [header.cwd, *header.additional_directories]
        mode: Mode = header.mode  # ty: ignore[invalid-assignment] - checked when it was set
        workspace = workspace_type(self._editor, header.id, roots, mode, self._servers)
        self._made = workspace  # a change of the mode reaches it from now on
        try:
            await workspace.start()
        except BaseException:
            self._made = None
            await workspace.close()
            raise
        return workspace


@asynccontextmanager
async def held(lock: asyncio.Lock, cancel: asyncio.Event) -> AsyncGenerator[None]:
    """Hold a lock inside the block.

    Raises:
        TurnCancelledError: `cancel` was set before the lock was free.
    """
    acquiring = asyncio.ensure_future(lock.acquire())
    try:
        await _unless(cancel, acquiring)
    except BaseException:
        if acquiring.done() and not acquiring.cancelled():
            lock.release()  # it was free just when the request was cancelled
        raise
    try:
        yield
    finally:
        lock.release()


async def _unless(cancel: asyncio.Event, work: Awaitable[_T]) -> _T:
    """Wait for `work`, but no longer than until the turn is cancelled.

    Raises:
        TurnCancelledError: It was.
    """
    task, stop = asyncio.ensure_future(work), asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TurnCancelledError
        return task.result()
    finally:
        for each in (task, stop):
            each.cancel()


async def finished(turn: asyncio.Task[TurnResult], cancel: asyncio.Event) -> TurnResult | None:
    """Wait for a turn; None when it had to be stopped by force."""
    stop = asyncio.create_task(cancel.wait())
    try:
        await asyncio.wait({turn, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not turn.done():
            await asyncio.wait({turn}, timeout=GRACE)
    except asyncio.CancelledError:
        cancel.set()
        await asyncio.wait({turn}, timeout=GRACE)
        raise
    finally:
        stop.cancel()
        if not turn.done():
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)
    return None if turn.cancelled() else turn.result()


def _import_workspace() -> type[Workspace]:
    from punie_agent.acp.workspace import Workspace

    return Workspace
