"""A copy of a workspace that programs may change, and that nobody else sees."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from punie_agent.constrain import listing
from punie_tools import ToolsError

if TYPE_CHECKING:
    from punie_tools import Completed, Host

__all__ = ["Scratch", "scratch_of"]

LARGEST_FILE = 1 << 20
"""Files with more bytes are left out of a copy: no tool that is tried there reads them as source."""
LARGEST_COPY = 64 << 20
"""Workspaces with more bytes are not copied; copying them would be felt."""
_ENVIRONMENT, _SETTINGS, _LIBRARIES = ".venv", "pyvenv.cfg", ("lib", "lib64", "Lib")


class Scratch:
    """A host whose files are a workspace's until they are written; what is written stays in the copy.

    Texts are read by the real host, since an editor may hold some that are not saved; commands see the copy.

    Args:
        folder: the copy.
        host: runs commands and writes files there.
        real: the workspace's host.
    """

    def __init__(self, folder: Path, host: Host, real: Host) -> None:
        self.written: dict[str, str] = {}
        """What was written, by its path from the root."""
        self._folder = folder
        self._host = host
        self._real = real

    @property
    def roots(self) -> Sequence[Path]:
        """The copy alone."""
        return self._host.roots

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the host's own signature
    ) -> Completed:
        """Run a program in the copy."""
        return await self._host.run(argv, cwd=cwd, env=env, timeout=timeout)

    async def read_text(self, path: str | Path) -> str:
        """The text of a file, with what was written here."""
        inside = self._inside(path)
        if inside is None or inside in self.written:
            return await self._host.read_text(path)
        return await self._real.read_text(self._real.roots[0] / inside)

    async def write_text(self, path: str | Path, text: str) -> None:
        """Write a file of the copy."""
        await self._host.write_text(path, text)
        inside = self._inside(path)
        if inside is not None:
            self.written[inside] = text

    async def changed(self) -> dict[str, tuple[str, str]]:
        """The texts before and after of the files that are not what they were; "" for none before."""
        found: dict[str, tuple[str, str]] = {}
        for path, after in self.written.items():
            try:
                before = await self._real.read_text(self._real.roots[0] / path)
            except (OSError, ValueError, ToolsError):
                before = ""
            if before != after:
                found[path] = (before, after)
        return found

    def _inside(self, path: str | Path) -> str | None:
        try:
            full = (self._folder / path).resolve()
        except (OSError, ValueError, RuntimeError):
            return None  # no path at all: the host will say so
        inside = full.is_relative_to(self._folder)
        return full.relative_to(self._folder).as_posix() if inside else None


@asynccontextmanager
async def scratch_of(host: Host, host_at: Callable[[Path], Host]) -> AsyncGenerator[Scratch | None]:
    """Copy a workspace for the length of a block; None where it is too large for that.

    Links are not followed. The environment's libraries are linked to, for checkers to read; its programs are
    not, since a copy does not know whether they are the person's own or came with the repository.

    Args:
        host: the workspace's host; its first root is copied.
        host_at: makes the host of the copy's folder.
    """
    root = host.roots[0]
    # What cannot be removed must not hide how the block ended: that it was stopped, say.
    made = tempfile.TemporaryDirectory(prefix="punie-rehearsal-", ignore_cleanup_errors=True)
    with made as parent:
        folder = (Path(parent) / root.name).resolve()
        files = await asyncio.to_thread(_to_copy, root)
        if files is None:
            yield None
            return
        await _copied(root, files, folder)
        yield Scratch(folder, host_at(folder), host)


async def _copied(root: Path, files: Iterable[str], folder: Path) -> None:
    """Copy in a thread that has ended when this returns, also where it is cancelled.

    A thread that went on would write into a folder that is being removed.
    """
    stop = threading.Event()
    copying = asyncio.get_running_loop().run_in_executor(None, _copy, root, files, folder, stop)
    try:
        await asyncio.wait({copying})  # which leaves the thread's future alone when it is cancelled
    except asyncio.CancelledError:
        stop.set()
        while not copying.done():
            with contextlib.suppress(asyncio.CancelledError):  # it is being cancelled already
                await asyncio.wait({copying})
        copying.exception()  # seen: that it was cancelled is what counts
        raise
    copying.result()


def _to_copy(root: Path) -> list[str] | None:
    paths = listing(root)
    if paths is None:
        return None
    files, size = [], 0
    for path in paths:
        full = root / path
        if path.endswith("/") or full.is_symlink() or not full.is_file():
            continue
        bytes_here = full.stat().st_size
        if bytes_here <= LARGEST_FILE:
            files.append(path)
            size += bytes_here
    return files if size <= LARGEST_COPY else None


def _copy(root: Path, files: Iterable[str], folder: Path, stop: threading.Event) -> None:
    folder.mkdir()
    for path in files:
        if stop.is_set():
            return
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target)
    _link_libraries(root / _ENVIRONMENT, folder / _ENVIRONMENT)


def _link_libraries(environment: Path, copied: Path) -> None:
    if not (environment / _SETTINGS).is_file():
        return
    copied.mkdir()
    shutil.copyfile(environment / _SETTINGS, copied / _SETTINGS)
    for name in _LIBRARIES:
        if (environment / name).is_dir():
            (copied / name).symlink_to((environment / name).resolve(), target_is_directory=True)
