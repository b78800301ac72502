"""What is on disk, as far as a type checker cares: a stamp for each file, and what changed.

Covered: Python files, notebooks and configuration of the workspace, and what is installed into its
virtual environments (by the time their site-packages last changed). Not covered: files reached only
through linked directories, and edits inside an installed package.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Snapshot", "take_snapshot"]

_SUFFIXES = (".py", ".pyi", ".ipynb")
_CONFIGURATION = frozenset(
    {"pyproject.toml", "ty.toml", ".gitignore", ".ignore", "pyvenv.cfg", "setup.cfg"}
)
_SKIPPED = frozenset(
    {".git", ".hg", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)

#: File systems stamp with the tick of the kernel's clock, up to 10 ms: within it, a file can change
#: again without a new stamp.
_TICK_NS = 20_000_000

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stamps of files by path.

    Attributes:
        sources: Python files and notebooks.
        configuration: What decides how they are checked.
        fresh: Sources that were written so shortly before that their stamps do not tell yet
            whether they are written again.
    """

    sources: dict[str, Stamp] = field(default_factory=dict)
    configuration: dict[str, Stamp] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set, compare=False)

    def changes_to(self, later: Snapshot) -> dict[str, int]:
        """Return what happened to each source: 1 created, 2 changed, 3 deleted (as LSP counts).

        Fresh sources count as changed.
        """
        changed = {
            path: 2 if path in self.sources else 1
            for path, stamp in later.sources.items()
            if self.sources.get(path) != stamp or path in self.fresh
        }
        return changed | dict.fromkeys(self.sources.keys() - later.sources.keys(), 3)


def take_snapshot(root: Path) -> Snapshot:
    """Return the stamps of a directory's files."""
    snapshot = Snapshot()
    settled = time.time_ns() - _TICK_NS
    for entry in _walk(str(root)):
        name = entry.name
        if name.endswith(_SUFFIXES):
            stamp = snapshot.sources[entry.path] = _stamp(entry)
            if stamp[0] > settled:
                snapshot.fresh.add(entry.path)
        elif name in _CONFIGURATION or name == "site-packages":
            snapshot.configuration[entry.path] = _stamp(entry)
    return snapshot


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        stat = entry.stat()
    except OSError:  # a dangling link, or gone meanwhile: both are a state of their own
        return (0, 0, 0)
    # The inode too: a file replaced within the clock's resolution is another file.
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries below a directory, without going into site-packages."""
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name == "site-packages":
                yield entry
            elif entry.name not in _SKIPPED:
                yield from _walk(entry.path)
        else:
            yield entry
