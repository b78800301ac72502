"""`ty server` as the tools use it: it knows what is on disk, and counts in code points.

Covered: diagnostics of the whole workspace and of what is edited on disk, and five questions about
symbols. Not covered: unsaved buffers; every document is what is on disk.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from punie_tools._checks import TY_ENV
from punie_tools._snapshot import Snapshot, read_regular, take_snapshot
from punie_tools._watched import Watched, watched_by
from punie_tools.errors import ServerError, ToolMissingError
from punie_tools.host import Host, SpawningHost
from punie_tools.lsp import LspClient, LspDiagnostic, type_errors
from punie_tools.paths import display
from punie_tools.results.typecheck import TypeCheckError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["TyServer", "path_of"]

_PROBE = "punie-asks-for-an-answer.py"


def path_of(uri: str) -> str:
    """Return the path of a file URI.

    Raises:
        ServerError: It is not a file URI.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise ServerError(f"the language server named {uri!r}, which is no address") from error
    if parts.scheme != "file":
        raise ServerError(f"the language server named {uri!r}, which is no file")
    return unquote(parts.path)


class _FileReport(BaseModel):
    uri: str
    kind: Literal["full", "unchanged"]
    result: str | None = Field(None, validation_alias="resultId")
    items: list[LspDiagnostic] = []


class _Report(BaseModel):
    items: list[_FileReport]


_REPORT = TypeAdapter(_Report)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the server said about one file, and the name it gave to that."""

    uri: str
    result: str | None
    errors: list[TypeCheckError]


class TyServer:
    """A running `ty server` for one workspace.

    Attributes:
        watched: What outside of the workspace it reads; None where that is not known.
        version: Its version, as far as it says.
    """

    def __init__(self, host: Host, client: LspClient, *, version: str | None) -> None:
        """Wrap a started server; use `start`."""
        self._host = host
        self._client = client
        self._known = Snapshot()
        self._telling, self._asking = asyncio.Lock(), asyncio.Lock()
        self._edited: set[str] = set()
        self._told: dict[str, _Told] = {}
        self.watched: Watched | None = None
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
        # Before the server reads anything: what changes from here on, it is told.
        known = await asyncio.to_thread(take_snapshot, host.roots[0])
        try:
            process = await host.spawn(["ty", "server"], env=TY_ENV)
        except ToolMissingError:
            raise
        except OSError as error:  # it is no program of this machine's
            raise ServerError(f"ty could not be started: {error}") from error
        client = LspClient(process, timeout=timeout)
        try:
            version = await cls._initialize(client, host.roots[0], whole_workspace)
            server = cls(host, client, version=version)
            server._known = known
            if whole_workspace:
                await server._find_watched()
        except BaseException:
            await client.close(politely=False)
            raise
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

    async def _find_watched(self) -> None:
        """Find out what outside of the workspace the server reads."""
        # It registers for that before it answers any request, one that it must refuse too.
        with contextlib.suppress(ServerError):
            await self._client.request("punie/settled", {})
        if not self.alive:
            raise ServerError("the language server did not come up")
        environment = getattr(self._host, "environment", dict)()
        watched = await asyncio.to_thread(watched_by, self._client.registrations, environment)
        if watched is None:
            return
        found = await asyncio.to_thread(take_snapshot, self.root, (), watched.folders)
        if found.whole:
            self.watched = watched
            self._known = replace(found, sources=found.sources | self._known.sources)

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
        async with self._telling:
            folders = self.watched.folders if self.watched is not None else ()
            now = now or await asyncio.to_thread(take_snapshot, self.root, (), folders)
            if now.taken < self._known.taken:  # a question was faster, and told the server more
                return
            changes = self._known.changes_to(now)
            self._edited |= changes.keys()
            for path, kind in changes.items():
                # The server reads again what has a new time, and not all that is new has one.
                if kind == 2 and self._known.sources[path][0] == now.sources[path][0]:
                    await self._forget(path)
            if changes:
                told = [
                    {"uri": Path(path).as_uri(), "type": kind} for path, kind in changes.items()
                ]
                await self._client.notify("workspace/didChangeWatchedFiles", {"changes": told})
            self._known = now

    async def _forget(self, path: str) -> None:
        """Have the server read a file again: of what was open in between, it knows nothing."""
        try:
            content = await asyncio.to_thread(read_regular, path)
        except OSError:  # gone meanwhile, which is told when it is seen
            return
        # As it is: a question that another task has asked may be answered while it is open.
        async with self._opened(Path(path), content.decode("utf-8", errors="replace")):
            pass

    async def diagnose(self, now: Snapshot | None = None) -> list[TypeCheckError]:
        """Return the diagnostics of the whole workspace, sorted as the command line's are.

        Raises:
            ServerError: It cannot answer.
        """
        await self.catch_up(now)
        # Its result ids are of offsets: an edit that moves lines and no offset keeps the id.
        known = {path: each for path, each in self._told.items() if path not in self._edited}
        self._told, self._edited = known, set()
        told = await self._report(known)
        if known.keys() - told.keys():  # it must speak of each file that it is asked about
            told = await self._report({})
        self._told = {path: each for path, each in told.items() if each.result is not None}
        # The project may begin above the workspace, which alone is what `ty check .` speaks of.
        inside = [path for path in told if path.startswith(f"{self.root}/")]
        shown = sorted(inside, key=lambda path: display(path, self.root))
        return [error for path in shown for error in told[path].errors]

    async def _report(self, known: dict[str, _Told]) -> dict[str, _Told]:
        """Return what the server says about each file that it says anything about.

        Of files in `known` it need not tell the same again.
        """
        # Where nothing changed (a clean workspace too) the server holds its answer back until
        # something does. A file it must declare free of diagnostics makes it answer at once.
        probe = _Told((self.root / _PROBE).as_uri(), "0", [])
        ids = [{"uri": each.uri, "value": each.result} for each in (probe, *known.values())]
        raw = await self._client.request("workspace/diagnostic", {"previousResultIds": ids})
        told = {}
        try:
            for each in _REPORT.validate_python(raw).items:
                path = path_of(each.uri)
                told[path] = (
                    known[path]
                    if each.kind == "unchanged"
                    else _Told(each.uri, each.result, _errors(each, path, self.root))
                )
        except (ValidationError, KeyError) as error:
            raise ServerError(f"the language server's report is malformed ({error})") from error
        return told

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
        async with self._opened(path, text) as document:
            return await self._client.request(method, {"textDocument": document, **params})

    @contextlib.asynccontextmanager
    async def _opened(self, path: Path, text: str) -> AsyncGenerator[dict[str, str]]:
        """Have a document open in the server, and never longer: an open one is not read from disk."""
        document = {"uri": path.as_uri()}
        opened = {**document, "languageId": "python", "version": 1, "text": text}
        async with self._asking:  # a document can be open once
            try:
                # A long text goes out bit by bit: cancelled meanwhile, it is opened all the same.
                await self._client.notify("textDocument/didOpen", {"textDocument": opened})
                yield document
            finally:
                if self.alive:
                    await self._client.notify("textDocument/didClose", {"textDocument": document})


def _errors(report: _FileReport, path: str, root: Path) -> list[TypeCheckError]:
    """Return the diagnostics of one file, sorted, without what the command line does not report."""
    # The server counts a byte order mark as a column of the first line, the command line does not.
    first = [each for each in report.items if each.line == 0 and each.character]
    mark = int(bool(first) and _is_marked(path))
    return type_errors(report.items, display(path, root), mark=mark)


def _is_marked(path: str) -> bool:
    """Return whether a file begins with a byte order mark."""
    try:
        return read_regular(path).startswith(codecs.BOM_UTF8)
    except OSError:  # gone meanwhile, which is told when it is seen
        return False


_CAPABILITIES = {
    "general": {"positionEncodings": ["utf-32"]},
    "workspace": {
        "configuration": True,
        "workspaceFolders": True,
        "didChangeWatchedFiles": {"dynamicRegistration": True, "relativePatternSupport": True},
    },
    "textDocument": {
        "definition": {"linkSupport": False},
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "hover": {"contentFormat": ["markdown", "plaintext"]},
    },
}
