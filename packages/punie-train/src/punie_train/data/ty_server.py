"""A conversation with `ty server`: one question at a time, about one file at a time.

Covered: greeting, notices, the diagnostics of a file as the command line words and places them, the end. Not
covered: what the server has to be told (`punie_train.data.staying`).
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from punie_tools import LocalHost, ServerError, TypeCheckError
from punie_tools.lsp import LspClient, LspDiagnostic, type_errors

__all__ = ["TyServer"]

_TIMEOUT_S = 60.0


class _Report(BaseModel):
    items: list[LspDiagnostic]


class _Info(BaseModel):
    version: str


class _Able(BaseModel):
    positionEncoding: str  # noqa: N815 - as the protocol spells it


class _Greeting(BaseModel):
    """What is read of the answer to `initialize`."""

    capabilities: _Able
    serverInfo: _Info  # noqa: N815 - as the protocol spells it


class TyServer:
    """A running server.

    Attributes:
        version: its version.
        pid: its process.
    """

    def __init__(self, client: LspClient, pid: int) -> None:
        """Wrap a started server; use `start`."""
        self.version, self.pid = "", pid
        self._client = client

    @classmethod
    async def start(cls, host: LocalHost) -> TyServer:
        """Start a server.

        Raises:
            ServerError: it does not come up.
            ToolMissingError: ty is not installed.
        """
        process = await host.spawn(["ty", "server"])
        server = cls(LspClient(process, timeout=_TIMEOUT_S), process.pid)
        try:
            await server._greet(host.roots[0])
        except BaseException:
            await server.close()
            raise
        return server

    async def _greet(self, root: Path) -> None:
        uri = root.as_uri()
        answer = await self._client.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": root.name}],
                "initializationOptions": {"diagnosticMode": "openFilesOnly"},
                "capabilities": {
                    "general": {"positionEncodings": ["utf-32"]},  # columns are characters
                    "textDocument": {"diagnostic": {}},
                },
            },
        )
        try:
            greeting = _Greeting.model_validate(answer)
        except ValidationError as error:
            raise ServerError(f"the language server greeted with {answer!r}") from error
        if greeting.capabilities.positionEncoding != "utf-32":
            raise ServerError("the language server does not count columns in characters")
        self.version = greeting.serverInfo.version
        await self.notify("initialized", {})

    async def diagnose(self, path: Path, text: str, shown: str) -> list[TypeCheckError]:
        """Return the diagnostics of a file, in order.

        Raises:
            ServerError: there is no answer.
        """
        # Open no longer than for the question: what is open is not read from disk.
        document = {"uri": path.as_uri()}
        opened = {**document, "languageId": "python", "version": 1, "text": text}
        await self.notify("textDocument/didOpen", {"textDocument": opened})
        raw = await self._client.request("textDocument/diagnostic", {"textDocument": document})
        await self.notify("textDocument/didClose", {"textDocument": document})
        await self._settle()
        try:
            return type_errors(_Report.model_validate(raw).items, shown)
        except ValidationError as error:
            raise ServerError(f"the language server reported {raw!r}") from error

    async def _settle(self) -> None:
        """Wait until the server has looked at the disk for what was closed."""
        try:
            await self._client.request("punie/settled", {})
        except ServerError:  # it refuses what it does not know, but not before that
            if not self._client.alive:
                raise

    async def notify(self, method: str, params: object) -> None:
        """Send a message that is not answered.

        Raises:
            ServerError: the server is gone.
        """
        await self._client.notify(method, params)

    async def close(self) -> None:
        """End the process."""
        await self._client.close(politely=False)
