"""`ty server` as the tools use it: it knows what is on disk, and counts in code points.

Covered: diagnostics of the whole workspace and of what is edited on disk, and five questions about
symbols. Not covered: unsaved buffers; every document is what is on disk.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from punie_tools._lsp import LspClient
from punie_tools._snapshot import Snapshot, take_snapshot
from punie_tools.errors import ServerError
from punie_tools.host import Host, SpawningHost
from punie_tools.paths import display
from punie_tools.results.typecheck import Severity, TypeCheckError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TyServer", "path_of"]

_SEVERITIES: Mapping[int, Severity] = {1: "error", 2: "warning", 3: "info"}
_HINT = 4
_PROBE = "punie-asks-for-an-answer.py"
# The command line's report has the first message alone.
_ASIDES = re.compile(r"\n\n(?:info|help|note|warning|error): ")
_ENV: Mapping[str, str | None] = {"CI_PROJECT_DIR": None, "TY_OUTPUT_FORMAT": None}


def path_of(uri: str) -> str:
    """Return the path of a file URI.

    Raises:
        ServerError: It is not a file URI.
    """
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ServerError(f"the language server named {uri}, which is no file")
    return unquote(parts.path)


class _Diagnostic(BaseModel):
    """What we read of a diagnostic; lines and columns are 0-based."""

    message: str
    severity: int = 1
    code: str | int | None = None
    line: int = Field(validation_alias=AliasPath("range", "start", "line"), ge=0)
    character: int = Field(validation_alias=AliasPath("range", "start", "character"), ge=0)


class _FileReport(BaseModel):
    uri: str
    kind: str
    items: list[_Diagnostic] = []


class _Report(BaseModel):
    items: list[_FileReport]


_REPORT = TypeAdapter(_Report)


class TyServer:
    """A running `ty server` for one workspace."""

    def __init__(self, host: Host, client: LspClient, *, version: str | None) -> None:
        """Wrap a started server; use `start`."""
        self._host = host
        self._client = client
        self._known = Snapshot()
        self.version = version

    @classmethod
    async def start(cls, host: Host, *, timeout: float, whole_workspace: bool) -> TyServer:  # noqa: ASYNC109 - seconds for each answer
        """Start a server.

        Args:
            host: Where it runs.
            timeout: Seconds after which an unanswered request fails.
            whole_workspace: Whether it is to check every file, or only to answer questions.

        Raises:
            ServerError: The host cannot keep a process, or the server does not come up.
            ToolMissingError: ty is not installed.
        """
        if not isinstance(host, SpawningHost):
            raise ServerError("this host cannot keep a language server running")
        process = await host.spawn(["ty", "server"], env=_ENV)
        client = LspClient(process, timeout=timeout)
        try:
            version = await cls._initialize(client, host.roots[0], whole_workspace)
        except BaseException:
            await client.close(politely=False)
            raise
        server = cls(host, client, version=version)
        server._known = await asyncio.to_thread(take_snapshot, server.root)
        return server

    @staticmethod
    async def _initialize(client: LspClient, root: Path, whole_workspace: bool) -> str | None:
        mode = "workspace" if whole_workspace else "openFilesOnly"
        answer = await client.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
                "initializationOptions": {"diagnosticMode": mode},
                "capabilities": _CAPABILITIES,
            },
        )
        try:
            encoding = answer["capabilities"].get("positionEncoding")
            version = (answer.get("serverInfo") or {}).get("version")
        except (TypeError, KeyError, AttributeError) as error:
            raise ServerError(f"the language server's greeting is malformed ({error})") from error
        if encoding != "utf-32":
            raise ServerError(f"the language server counts columns in {encoding}, not code points")
        await client.notify("initialized", {})
        return version

    @property
    def root(self) -> Path:
        """The workspace."""
        return self._host.roots[0]

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return self._client.alive

    async def close(self) -> None:
        """End the server."""
        await self._client.close()

    async def catch_up(self, now: Snapshot | None = None) -> None:
        """Tell the server what changed on disk since it was last told.

        Raises:
            ServerError: It is gone.
        """
        now = now or await asyncio.to_thread(take_snapshot, self.root)
        changes = [
            {"uri": Path(path).as_uri(), "type": kind}
            for path, kind in sorted(self._known.changes_to(now).items())
        ]
        if changes:
            await self._client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        self._known = now

    async def diagnose(self, now: Snapshot | None = None) -> list[TypeCheckError]:
        """Return the diagnostics of the whole workspace, sorted as the command line's are.

        Raises:
            ServerError: It cannot answer.
        """
        await self.catch_up(now)
        # Where nothing changed (a clean workspace too) the server holds its answer back until
        # something does. A file it must declare free of diagnostics makes it answer at once.
        probe = {"uri": (self.root / _PROBE).as_uri(), "value": "0"}
        raw = await self._client.request("workspace/diagnostic", {"previousResultIds": [probe]})
        try:
            report = _REPORT.validate_python(raw)
            errors = [
                TypeCheckError(
                    file=display(path_of(each.uri), self.root),
                    line=item.line + 1,
                    column=item.character + 1,
                    severity=_SEVERITIES[item.severity],
                    code=str(item.code or ""),
                    message=_ASIDES.split(item.message, maxsplit=1)[0],
                )
                for each in report.items
                for item in each.items
                if item.severity != _HINT
            ]
        except (ValidationError, KeyError) as error:
            raise ServerError(f"the language server's report is malformed ({error})") from error
        errors.sort(key=lambda e: (e.file, e.line, e.column, e.code, e.message))
        return errors

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Return the answer to a question about the workspace as it is on disk.

        Raises:
            ServerError: It cannot answer.
        """
        await self.catch_up()
        return await self._client.request(method, params)

    async def ask_about(self, path: Path, text: str, method: str, params: dict[str, Any]) -> Any:
        """Return the answer to a question about one file, open only while it is answered.

        Raises:
            ServerError: It cannot answer.
        """
        await self.catch_up()
        document = {"uri": path.as_uri()}
        opened = {**document, "languageId": "python", "version": 1, "text": text}
        await self._client.notify("textDocument/didOpen", {"textDocument": opened})
        try:
            return await self._client.request(method, {"textDocument": document, **params})
        finally:
            if self.alive:
                await self._client.notify("textDocument/didClose", {"textDocument": document})


_CAPABILITIES = {
    "general": {"positionEncodings": ["utf-32"]},
    "workspace": {
        "configuration": True,
        "workspaceFolders": True,
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    },
    "textDocument": {
        "definition": {"linkSupport": False},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
    },
}
