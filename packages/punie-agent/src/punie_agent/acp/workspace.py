"""Everything a session's turns work with: host, tools, sandbox and contract of one directory.

It is opened at the first turn and lives until the session is closed, so that the sandbox's variables
live as long. What it does is decided by `Permissions`; who is told is decided turn by turn.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie_agent._watch import observed
from punie_agent.acp.host import AcpHost, for_a_person
from punie_agent.contract import Contract, standard_functions
from punie_agent.models import contract_for
from punie_agent.paths import signing_key
from punie_agent.permissions import PermissionDecision, Permissions
from punie_agent.planning import preview_for
from punie_sandbox import ExternalFunctions, RegistrationError, Sandbox
from punie_tools import LocalHost, Toolbox, load_plugins

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from punie_agent.acp.editor import Editor
    from punie_agent.acp.mcp import Function, McpServers, ServerConfig
    from punie_agent.events import Effect
    from punie_agent.models import ChatModel
    from punie_agent.permissions import Mode, PermissionRequest

__all__ = ["Kit", "Workspace"]


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


@dataclass(frozen=True, slots=True)
class Kit:
    """A contract, the sandbox with the functions it names, and the model they are for."""

    contract: Contract
    sandbox: Sandbox
    model: ChatModel | None = None


class Workspace:
    """Host, tools and permissions of one session, and a kit for each contract that is used.

    Attributes:
        ask: asks a person; set for each turn, None between turns.
        wrote: told of each file written; set for each turn.
        opened_terminal: told of each terminal; set for each turn.
    """

    def __init__(
        self,
        editor: Editor,
        session_id: str,
        roots: Sequence[str],
        mode: Mode,
        servers: Sequence[ServerConfig] = (),
    ) -> None:
        self.ask: Callable[[PermissionRequest], Awaitable[PermissionDecision]] | None = None
        self.wrote: Callable[[Path, str | None, str], None] | None = None
        self.opened_terminal: Callable[[str], None] | None = None
        self.host = AcpHost(
            LocalHost(*roots), editor, session_id, wrote=self._wrote, opened=self._opened
        )
        self.permissions = Permissions(
            self._ask, mode=mode, project=self.host.roots[0], host=self.host
        )
        self._problems: list[str] = []
        plugins = load_plugins(lambda error: self._problems.append(f"{error}."))
        self.toolbox = _Toolbox(self.host, plugins=plugins)
        self._servers: McpServers | None = None
        self._configs = servers
        self._kits: dict[int, Kit] = {}
        self._stack = AsyncExitStack()

    @property
    def tools(self) -> list[str]:
        """The names of all tools, whatever a model's contract shows of them."""
        return list(self.toolbox.effects)

    async def kit(self, model: ChatModel | None = None) -> Kit:
        """Return what a model's turns run with; without a model, all tools.

        Variables of the code live as long as the workspace, in the kit they were made in.
        """
        key = id(model)  # its name is no key: it may change when the server tells it
        if key not in self._kits:
            contract = self._with_servers(
                Contract(standard_functions(self.toolbox))
                if model is None
                else contract_for(model, self.toolbox, self._problems.append)
            )
            preview = preview_for(contract.functions, self.host)
            sandbox = Sandbox(
                contract.functions,
                policy=self.permissions,
                preview=preview,
                signing_key=signing_key(),
            )
            await self._stack.enter_async_context(sandbox)
            self._kits[key] = Kit(contract, sandbox, model)
        return self._kits[key]

    def news(self) -> list[str]:
        """Return what a person should know of servers, plug-ins and models, each sentence once."""
        told = list(self._problems)
        self._problems.clear()
        return told

    async def start(self) -> None:
        """Start the session's MCP servers, once."""
        if self._configs and self._servers is None:
            from punie_agent.acp.mcp import McpServers

            self._servers = McpServers(self._configs, str(self.host.roots[0]))
            await self._servers.start()
            self._problems += self._servers.problems

    async def close(self) -> None:
        """End the sandboxes, the MCP servers and everything running in them."""
        self._kits.clear()
        await self._stack.aclose()
        if self._servers is not None:
            await self._servers.close()

    def _with_servers(self, contract: Contract) -> Contract:
        """Add the MCP servers' functions; a model trained on a few tools keeps exactly those."""
        extra = self._servers.functions if self._servers is not None else {}
        if not extra:
            return contract
        if contract.style != "full":
            names = ", ".join(extra)
            self._problems.append(
                f"This model was trained on its own tools; MCP servers' are not offered to it: {names}."
            )
            return contract
        try:
            functions = self._functions_with(extra)
        except RegistrationError:
            functions = self._functions_with(self._beside_ours(extra))
        return Contract(functions, call_format=contract.call_format)

    def _functions_with(self, extra: Mapping[str, Function]) -> ExternalFunctions:
        """Our functions and these of servers, each of which is asked for like a command."""
        ours = [observed(each) for each in (*self.toolbox.functions(), *extra.values())]
        effects: dict[str, Effect] = {**self.toolbox.effects}
        effects |= dict.fromkeys(extra, "execute")
        return ExternalFunctions(ours, effects=effects, hide=frozenset({"run"}))

    def _beside_ours(self, extra: Mapping[str, Function]) -> dict[str, Function]:
        """Those that can stand beside ours: none takes a name that a function or a type has already."""
        kept: dict[str, Function] = {}
        for name, function in extra.items():
            try:
                self._functions_with({**kept, name: function})
            except RegistrationError as error:
                self._problems.append(f"The MCP tool {name} cannot be offered: {error}.")
            else:
                kept[name] = function
        return kept

    async def _ask(self, request: PermissionRequest) -> PermissionDecision:
        if self.ask is None:
            return PermissionDecision("reject", "nobody is here to allow it")
        return await self.ask(request)

    def _wrote(self, path: Path, old: str | None, new: str) -> None:
        if self.wrote is not None:
            self.wrote(path, old, new)

    def _opened(self, terminal: str) -> None:
        if self.opened_terminal is not None:
            self.opened_terminal(terminal)
