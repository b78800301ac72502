"""What is on disk, as far as a type checker cares: a stamp for each file, and what changed.

Covered: Python files, notebooks and configuration of the workspace, configuration above it and of the
user, and what is installed (by the time site-packages last changed). Not covered: files reached only
through linked directories, and edits inside an installed package.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Snapshot", "outside_of", "take_snapshot"]

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
        taken: When, on a clock that only goes forward; 0 for never.
        fresh: Sources that were written so shortly before that their stamps do not tell yet
            whether they are written again.
    """

    sources: dict[str, Stamp] = field(default_factory=dict)
    configuration: dict[str, Stamp] = field(default_factory=dict)
    taken: float = field(default=0.0, compare=False)
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


def take_snapshot(root: Path, outside: Iterable[Path] = ()) -> Snapshot:
    """Return the stamps of a directory's files, and of configuration outside of it."""
    snapshot = Snapshot(taken=time.monotonic())
    settled = time.time_ns() - _TICK_NS
    for entry in _walk(str(root)):
        name = entry.name
        if name.endswith(_SUFFIXES):
            stamp = snapshot.sources[entry.path] = _stamp(entry)
            if stamp[0] > settled:
                snapshot.fresh.add(entry.path)
        elif name in _CONFIGURATION or name == "site-packages":
            snapshot.configuration[entry.path] = _stamp(entry)
    for path in outside:
        snapshot.configuration[str(path)] = _stamp(path)
    return snapshot


def outside_of(root: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return what outside of a workspace's files decides how they are checked.

    Args:
        root: The workspace.
        environment: The environment that the type checker gets.
    """
    home = Path(environment.get("HOME", "~")).expanduser()
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    prefixes = {sys.prefix, *(environment.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))}
    installed = (
        found
        for prefix in sorted(filter(None, prefixes))
        for found in Path(prefix).glob("lib/python*/site-packages")
    )
    return [
        *(folder / name for folder in root.parents for name in sorted(_CONFIGURATION)),
        *(folder / ".git" / "info" / "exclude" for folder in (root, *root.parents)),
        settings / "ty" / "ty.toml",
        *installed,
    ]


def _stamp(entry: os.DirEntry[str] | Path) -> Stamp:
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
