"""`Toolbox`: the tools of one workspace as async methods with typed results.

A check never raises because its tool failed: the result's `status` and `parse_error` say so. It
raises for what it was asked wrongly: a path outside the workspace, a file that does not exist.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from punie_tools import _checks, _cst, _git
from punie_tools._commands import command_argv, command_text
from punie_tools._daemon import Daemon
from punie_tools._navigation import Navigator, unanswered
from punie_tools._runner import Runner
from punie_tools._ty_server import TyServer
from punie_tools.errors import (
    PluginError,
    ServerError,
    ToolMissingError,
    UnknownToolError,
    UnreadableFileError,
)
from punie_tools.paths import contain, display
from punie_tools.plugins import Effect, Plugin

# Not under TYPE_CHECKING: hosts such as a sandbox read the annotations of the tools at run time.
from punie_tools.results import (
    CstAddImportResult,
    CstFindResult,
    CstRenameResult,
    DocumentSymbolsResult,
    FindReferencesResult,
    GitDiffResult,
    GitLogResult,
    GitStatusResult,
    GotoDefinitionResult,
    HoverResult,
    LintResult,
    TestResult,
    TypeCheckResult,
    WorkspaceSymbolsResult,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from punie_tools.host import Host

__all__ = ["EFFECTS", "Effect", "Toolbox"]

EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "read_file": "read",
        "write_file": "write",
        "run_command": "execute",
        "typecheck": "read",
        "ruff_check": "read",
        "pytest_run": "execute",
        "git_status": "read",
        "git_diff": "read",
        "git_log": "read",
        "goto_definition": "read",
        "find_references": "read",
        "hover": "read",
        "document_symbols": "read",
        "workspace_symbols": "read",
        "cst_find_pattern": "read",
        "cst_rename": "write",
        "cst_add_import": "write",
    }
)
"""What each tool does to the world, in the documented order of the tools.

`read` changes nothing, `write` changes files of the workspace, `execute` runs code of the
workspace or any program.
"""


class Toolbox:
    """The tools of one workspace.

    Attributes:
        host: Where they act.
    """

    def __init__(
        self,
        host: Host,
        *,
        timeout: float = 600.0,
        output_chars: int = 100_000,
        file_chars: int = 10_000_000,
        plugins: Mapping[str, Plugin] | None = None,
        daemon: bool = False,
    ) -> None:
        """Open a toolbox.

        Args:
            host: Where the tools act.
            timeout: Seconds after which a tool or command is ended.
            output_chars: Characters of a command's output that are returned as text.
            file_chars: Characters of the longest file that is read.
            plugins: Third parties' tools, as `load_plugins()` finds them; none by default.
            daemon: Keep a `ty server` running: repeated `typecheck(".")` and questions about
                symbols are then answered at once. Such a toolbox must be closed.

        Raises:
            PluginError: A plug-in has the name of one of the toolbox's own tools.
        """
        self.host = host
        self._plugins = dict(plugins or {})
        if taken := sorted(self._plugins.keys() & EFFECTS.keys()):
            raise PluginError(f"plug-ins must not replace built-in tools: {', '.join(taken)}")
        self._timeout = timeout
        self._output_chars = output_chars
        self._file_chars = file_chars
        self._runner = Runner(host, timeout)
        self._daemon = Daemon(self._runner) if daemon else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End what the toolbox keeps running; it can be used again."""
        if self._daemon is not None:
            await self._daemon.close()

    def functions(self, names: Sequence[str] | None = None) -> list[Callable[..., Awaitable[Any]]]:
        """Return the tools as bound methods, in the documented order or in that of `names`.

        Raises:
            UnknownToolError: There is no tool of that name.
        """
        wanted = self._usable() if names is None else names
        return [self._function(name) for name in wanted]

    @property
    def effects(self) -> Mapping[str, Effect]:
        """What each tool does to the world, plug-ins included, in the documented order."""
        return {**EFFECTS, **{name: each.effect for name, each in self._plugins.items()}}

    def _usable(self) -> list[str]:
        """Return the names of all tools but those whose extra is not installed."""
        return [name for name in self.effects if not name.startswith("cst_") or _cst.available()]

    def _function(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name in EFFECTS:
            return getattr(self, name)
        if name in self._plugins:
            return self._plugins[name].bound(self.host)
        raise UnknownToolError(f"there is no tool {name!r}; there are {', '.join(self.effects)}")

    async def read_file(self, path: str) -> str:
        """Return the whole text of a file."""
        text = await self.host.read_text(path)
        if len(text) > self._file_chars:
            # Never a part of it: what is read is changed and written back, and the rest would be lost.
            shown = display(contain(path, self.host.roots), self.host.roots[0])
            raise UnreadableFileError(
                f"{shown} holds {len(text)} characters, and a file is read whole up to "
                f"{self._file_chars}: look at a part of it, as with run_command('head -n 100 …')"
            )
        return text

    async def write_file(self, path: str, content: str) -> str:
        """Create or replace a file with `content`; return a sentence that says what was written."""
        await self.host.write_text(path, content)
        root = self.host.roots[0]
        return f"Wrote {len(content)} characters to {display(contain(path, self.host.roots), root)}"

    async def run_command(
        self, command: str, args: list[str] | None = None, cwd: str | None = None
    ) -> str:
        """Run a command line (or a program with `args`); return its output, and the exit code
        when it is not 0.
        """  # noqa: D205 - the stubs show the whole sentence
        argv = command_argv(command, args)
        done = await self.host.run(argv, cwd=cwd, timeout=self._timeout)
        return command_text(done, self._output_chars)

    async def typecheck(self, path: str) -> TypeCheckResult:
        """Type-check a file or directory with ty."""
        if self._daemon is not None and self._runner.argument(path) == ".":
            return await self._daemon.typecheck()
        return await _checks.typecheck(self._runner, path)

    async def ruff_check(self, path: str) -> LintResult:
        """Lint a file or directory with ruff."""
        return await _checks.ruff_check(self._runner, path)

    async def pytest_run(self, path: str) -> TestResult:
        """Run the tests of a file, directory or node id with pytest."""
        return await _checks.pytest_run(self._runner, path)

    async def git_status(self, path: str) -> GitStatusResult:
        """Return which files under a path git sees as changed."""
        return await _git.git_status(self._runner, path)

    async def git_diff(self, path: str, staged: bool = False) -> GitDiffResult:
        """Return how many lines changed in which files, in the working tree or staged."""
        return await _git.git_diff(self._runner, path, staged=staged)

    async def git_log(self, path: str, count: int = 10) -> GitLogResult:
        """Return the newest commits that touch a path."""
        return await _git.git_log(self._runner, path, count)

    async def goto_definition(
        self, file_path: str, line: int, column: int, symbol: str
    ) -> GotoDefinitionResult:
        """Return where the symbol at a place is defined."""
        try:
            async with self._navigator() as navigator:
                return await navigator.definition(file_path, line, column, symbol)
        except (ServerError, ToolMissingError) as error:
            return unanswered(GotoDefinitionResult, error, symbol=symbol)

    async def find_references(
        self, file_path: str, line: int, column: int, symbol: str
    ) -> FindReferencesResult:
        """Return where the symbol at a place is used, its definition included."""
        try:
            async with self._navigator() as navigator:
                return await navigator.references(file_path, line, column, symbol)
        except (ServerError, ToolMissingError) as error:
            return unanswered(FindReferencesResult, error, symbol=symbol)

    async def hover(self, file_path: str, line: int, column: int, symbol: str) -> HoverResult:
        """Return the type and documentation of the symbol at a place."""
        try:
            async with self._navigator() as navigator:
                return await navigator.hover(file_path, line, column, symbol)
        except (ServerError, ToolMissingError) as error:
            return unanswered(HoverResult, error, symbol=symbol)

    async def document_symbols(self, file_path: str) -> DocumentSymbolsResult:
        """Return the classes, functions and variables a file defines."""
        try:
            async with self._navigator() as navigator:
                return await navigator.document_symbols(file_path)
        except (ServerError, ToolMissingError) as error:
            return unanswered(DocumentSymbolsResult, error, file=file_path)

    async def workspace_symbols(self, query: str) -> WorkspaceSymbolsResult:
        """Return the symbols of the workspace whose names match a query."""
        try:
            async with self._navigator() as navigator:
                return await navigator.workspace_symbols(query)
        except (ServerError, ToolMissingError) as error:
            return unanswered(WorkspaceSymbolsResult, error, query=query)

    async def cst_find_pattern(self, file_path: str, pattern: str) -> CstFindResult:
        """Find syntax in a file: a LibCST node name, or code in which `...` means anything."""
        return await _cst.find_pattern(self._runner, file_path, pattern)

    async def cst_rename(self, file_path: str, old_name: str, new_name: str) -> CstRenameResult:
        """Rename a symbol in a file, leaving other things of that name alone."""
        return await _cst.rename(self._runner, file_path, old_name, new_name)

    async def cst_add_import(self, file_path: str, import_stmt: str) -> CstAddImportResult:
        """Add an import statement to a file, unless it is there."""
        return await _cst.add_import(self._runner, file_path, import_stmt)

    @asynccontextmanager
    async def _navigator(self) -> AsyncGenerator[Navigator]:
        """Lend the running server, or one that lives as long as the question."""
        if self._daemon is not None:
            yield Navigator(self._runner, await self._daemon.server())
            return
        server = await TyServer.start(
            self.host, timeout=self._runner.timeout, whole_workspace=False
        )
        try:
            yield Navigator(self._runner, server)
        finally:
            await server.close()
