"""A type checker that stays: `ty server`, asked about one file after another of a folder that changes.

`ty check` spends nearly all of its time on starting and on reading what Python itself declares. The server
has that behind it. It answers only where it must say what the command line says: about one Python file, under
the project's configuration and layout that it started with; there is a server for each. The command line
answers of anything else, and when servers are gone. So it does until both agreed about a file with findings.

No answer is about an earlier state of the files. The server looks at the disk during a question alone: it has
let go of the file that it was asked about before the answer is given. Before the next question all that is in
the folder is read, and the server is told what differs, byte by byte, from what was there at the last one; it
handles messages in the order in which they come. It reads a file again if the file has another time, so each
that it is told of gets one that the file never had: clocks of file systems are slow. A server under whose
question files changed is not asked again.

Covered: files and folders that come, change and go. Not covered: whole folders; configuration outside of the
folder, which must stay as it is.
"""

from __future__ import annotations

import asyncio
import functools
import os
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pydantic import BaseModel, Field

from punie_tools import LocalHost, ServerError, ToolMissingError, ToolRun, TypeCheckResult
from punie_train.data.copies import Found, Tree, look
from punie_train.data.ty_server import TyServer

__all__ = ["StayingChecker"]

_TIMEOUT_S = 60.0
_MOST_SERVERS = 3
"""How many run at once; each takes about 50 MB."""
_CREATED, _CHANGED, _DELETED = 1, 2, 3
_SOURCES = (".py", ".pyi")
_SETTINGS = frozenset({"ty.toml", "pyvenv.cfg", ".gitignore", ".ignore", "py.typed", ".venv"})
_PROJECT = "pyproject.toml"
_ROOTS = ("src", "python", "tests")
"""Folders that ty takes modules from if they are there when it starts, and are no packages."""
_PANIC = "panic"
_MARK = "\ufeff"


class _Environment(BaseModel, extra="forbid"):
    python_version: str = Field("", alias="python-version")
    root: list[str] = []


class _Ty(BaseModel, extra="forbid"):
    environment: _Environment = _Environment()


class _Tool(BaseModel):
    ty: _Ty = _Ty()


class _Project(BaseModel):
    """A `pyproject.toml` that says nothing of ty but this."""

    tool: _Tool = _Tool()


_Layout = tuple[bytes, frozenset[str]]
"""What a server reads only once: the project's configuration, and where its modules may be."""


@dataclass
class _Informed:
    """A server, and what it knows.

    Attributes:
        server: the server.
        sources: text of Python files by path, as at its last question.
        folders: all folders at its last question.
        proven: whether the command line was of the same opinion about a file with findings.
    """

    server: TyServer
    sources: dict[str, bytes] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    proven: bool = False

    def learn(self, tree: Tree) -> None:
        self.sources = {path: found.content for path, found in _sources(tree).items()}
        self.folders = frozenset(tree.folders)


class StayingChecker:
    """Checks files of one folder.

    Attributes:
        answered: questions that a server answered.
    """

    def __init__(self, host: LocalHost) -> None:
        """Prepare; a server starts with the first question.

        Args:
            host: where it runs; its first root is the folder.
        """
        self.answered = 0
        self._host = host
        self._root = host.roots[0]
        self._servers: dict[_Layout, _Informed] = {}
        self._closed = "TY_CONFIG_FILE" in host.environment()  # which the server does not obey
        self._renewals = 0
        self._asking = asyncio.Lock()

    async def check(
        self, path: str, command_line: Callable[[str], Awaitable[TypeCheckResult]]
    ) -> TypeCheckResult:
        """Return what `ty check` says about a path.

        Args:
            path: a file or folder, relative to the root.
            command_line: asks `ty check`.
        """
        async with self._asking:
            told = None if self._closed else await self._ask(path)
        if told is None:
            return await command_line(path)
        informed, result = told
        if informed.proven:
            self.answered += 1
            return result
        proof = await command_line(path)
        if proof.errors != result.errors or proof.status not in {"clean", "findings"}:
            await self.close()
        informed.proven = bool(proof.errors)
        return proof

    @property
    def pids(self) -> list[int]:
        """The processes of the servers that run."""
        return [each.server.pid for each in self._servers.values()]

    async def close(self) -> None:
        """End the servers; from now on the command line answers."""
        self._closed = True
        servers, self._servers = self._servers, {}
        for each in servers.values():
            await each.server.close()

    async def _ask(self, path: str) -> tuple[_Informed, TypeCheckResult] | None:
        """Return a server's answer and the server; None where there is none to give."""
        tree = look(self._root)
        file = PurePosixPath(path).as_posix()
        text, layout = _text(file, tree), _layout(tree)
        if text is None or layout is None:
            return None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                informed = await self._informed(layout, tree)
                errors = await informed.server.diagnose(self._root / file, text, file)
        except (ServerError, ToolMissingError, OSError, TimeoutError):
            await self.close()
            return None
        except BaseException:
            await self.close()  # it is in the middle of an answer
            raise
        if look(self._root) != tree:  # nobody knows what it has seen
            await self.close()
            return None
        if any(each.code == _PANIC for each in errors):
            return None
        run = ToolRun(argv=["ty", "server"], tool_version=informed.server.version)
        status = "findings" if errors else "clean"
        return informed, TypeCheckResult(status=status, errors=errors, run=run)

    async def _informed(self, layout: _Layout, tree: Tree) -> _Informed:
        """Return the server for a layout, having told it what is not as it was."""
        if (informed := self._servers.get(layout)) is None:
            while len(self._servers) >= _MOST_SERVERS:
                oldest = self._servers.pop(next(iter(self._servers)))
                await oldest.server.close()
            informed = _Informed(await TyServer.start(self._host))
            self._servers[layout] = informed
        else:
            await self._tell(informed, tree)
        informed.learn(tree)
        return informed

    async def _tell(self, informed: _Informed, tree: Tree) -> None:
        sources, folders = _sources(tree), tree.folders.keys()
        changes = [(path, _DELETED) for path in informed.folders - folders]
        changes += [(path, _DELETED) for path in informed.sources.keys() - sources.keys()]
        changes += [(path, _CREATED) for path in folders - informed.folders]
        for path, found in sources.items():
            known = informed.sources.get(path)
            if known != found.content:
                tree.files[path] = self._renewed(path, found)
                changes.append((path, _CREATED if known is None else _CHANGED))
        if changes:
            told = [{"uri": (self._root / path).as_uri(), "type": kind} for path, kind in changes]
            await informed.server.notify("workspace/didChangeWatchedFiles", {"changes": told})

    def _renewed(self, path: str, found: Found) -> Found:
        """Give a file a time that it never had, for the server goes by that.

        What is added grows with each change, and so does the clock.
        """
        self._renewals += 1
        time = found.modified + self._renewals
        os.utime(self._root / path, ns=(time, time))
        return replace(found, modified=time)


def _sources(tree: Tree) -> dict[str, Found]:
    return {path: found for path, found in tree.files.items() if path.endswith(_SOURCES)}


def _text(file: str, tree: Tree) -> str | None:
    """Return the text of a Python file that is there, without a byte order mark, which shifts columns."""
    if not file.endswith(".py") or file not in tree.files:
        return None
    try:
        text = tree.files[file].content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if text.startswith(_MARK) else text


def _layout(tree: Tree) -> _Layout | None:
    """Return what decides how files are checked; None where that is more than a server can know."""
    paths = (*tree.files, *tree.folders)
    names = {path.rpartition("/")[2] for path in paths}
    if tree.others or names & _SETTINGS or any(path.endswith(f"/{_PROJECT}") for path in paths):
        return None
    project = tree.files[_PROJECT].content if _PROJECT in tree.files else b""
    roots = _roots(project)
    if roots is None:
        return None
    packages = {f"{root}/__init__{suffix}" for root in roots for suffix in _SOURCES}
    there = {path for path in paths if path in roots or path in packages}
    # A project may lie in a folder of its own name, which is twice in the path then.
    return project, frozenset(there | {path for path in tree.folders if _is_twice(path)})


def _is_twice(path: str) -> bool:
    first, _, second = path.partition("/")
    return first == second


@functools.lru_cache(maxsize=32)
def _roots(project: bytes) -> frozenset[str] | None:
    """Return where modules may be; None where a project says more than that about its checks."""
    try:
        read = _Project.model_validate(tomllib.loads(project.decode("utf-8")))
    except ValueError:
        return None
    roots = read.tool.ty.environment.root
    return frozenset({*_ROOTS, *(PurePosixPath(each).as_posix() for each in roots)})
