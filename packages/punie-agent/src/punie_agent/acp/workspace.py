"""Everything a session's turns work with: host, tools, sandbox and contract of one directory.

It is opened at the first turn and lives until the session is closed, so that the sandbox's variables
live as long. What it does is decided by `Permissions`; who is told is decided turn by turn.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from punie_agent.acp.host import AcpHost, for_a_person
from punie_agent.contract import Contract, standard_functions
from punie_agent.permissions import Permissions
from punie_sandbox import Sandbox
from punie_tools import LocalHost, Toolbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from punie_agent.acp.editor import Editor
    from punie_agent.permissions import Mode, PermissionDecision, PermissionRequest

__all__ = ["Workspace"]


class _Toolbox(Toolbox):
    """The toolbox of an editor: commands are for a person to watch."""

    async def run_command(
        self, command: str, args: list[str] | None = None, cwd: str | None = None
    ) -> str:
        token = for_a_person.set(True)
        try:
            return await super().run_command(command, args, cwd)
        finally:
            for_a_person.reset(token)

    run_command.__doc__ = Toolbox.run_command.__doc__


class Workspace:
    """Host, tools, sandbox and contract of one session.

    Attributes:
        ask: asks a person; set for each turn, None between turns.
        wrote: told of each file written; set for each turn.
        opened_terminal: told of each terminal; set for each turn.
    """

    def __init__(self, editor: Editor, session_id: str, roots: Sequence[str], mode: Mode) -> None:
        self.ask: Callable[[PermissionRequest], Awaitable[PermissionDecision]] | None = None
        self.wrote: Callable[[Path, str | None, str], None] | None = None
        self.opened_terminal: Callable[[str], None] | None = None
        self.host = AcpHost(
            LocalHost(*roots), editor, session_id, wrote=self._wrote, opened=self._opened
        )
        self.permissions = Permissions(
            self._ask, mode=mode, project=self.host.roots[0], host=self.host
        )
        self.toolbox = _Toolbox(self.host)
        functions = standard_functions(self.toolbox)
        self.contract = Contract(functions)
        self.sandbox = Sandbox(functions, policy=self.permissions)
        self._stack = AsyncExitStack()
        self._entered = False

    async def start(self) -> None:
        """Start the sandbox's worker, once."""
        if not self._entered:
            self._entered = True
            await self._stack.enter_async_context(self.sandbox)

    async def close(self) -> None:
        """End the sandbox and everything running in it."""
        await self._stack.aclose()

    async def _ask(self, request: PermissionRequest) -> PermissionDecision:
        from punie_agent.permissions import PermissionDecision

        if self.ask is None:
            return PermissionDecision("reject", "nobody is here to allow it")
        return await self.ask(request)

    def _wrote(self, path: Path, old: str | None, new: str) -> None:
        if self.wrote is not None:
            self.wrote(path, old, new)

    def _opened(self, terminal: str) -> None:
        if self.opened_terminal is not None:
            self.opened_terminal(terminal)
