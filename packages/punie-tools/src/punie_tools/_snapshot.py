"""What is on disk, as far as a type checker cares: a stamp for each file, and what changed.

Covered: Python files, notebooks, importable directories and configuration of the workspace and of
directories beside it, configuration above it and of the user, and what is installed (by the time
site-packages last changed). Not covered: files reached only through linked directories, and edits
inside an installed package.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "TICK_NS",
    "Snapshot",
    "Stamp",
    "outside_of",
    "read_regular",
    "settings_of",
    "take_snapshot",
]

_SUFFIXES = (".py", ".pyi", ".pyw", ".ipynb")
_CONFIGURATION = frozenset(
    {"pyproject.toml", "ty.toml", ".gitignore", ".ignore", "pyvenv.cfg", "setup.cfg", "py.typed"}
)
_SKIPPED = frozenset(
    {".git", ".hg", "__pycache__", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)

#: As ty's file walker reads it, without sections.
_EXCLUDES = re.compile(rb"""(?im)^\s*excludesfile\s*=\s*"?\s*(\S+?)\s*"?\s*$""")

#: File systems stamp with the tick of the kernel's clock, up to 10 ms: within it, a file can change
#: again without a new stamp.
TICK_NS = 20_000_000

#: When the content changed, as it says; size and inode; when the file changed, which none can set.
Stamp = tuple[int, int, int, int]
_NOTHING: Stamp = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stamps of files by path.

    Attributes:
        sources: Python files and notebooks.
        configuration: What decides how they are checked; of directories, that they are there.
        taken: When, on a clock that only goes forward; 0 for never.
        fresh: Sources that were written so shortly before that their stamps do not tell yet
            whether they are written again.
        whole: Whether everything was looked at; there can be too much outside of the workspace.
    """

    sources: dict[str, Stamp] = field(default_factory=dict)
    configuration: dict[str, Stamp] = field(default_factory=dict)
    taken: float = field(default=0.0, compare=False)
    fresh: set[str] = field(default_factory=set, compare=False)
    whole: bool = True

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


def take_snapshot(
    root: Path,
    outside: Iterable[Path] = (),
    folders: Iterable[str] = (),
    *,
    most_outside: int = 20_000,
) -> Snapshot:
    """Return the stamps of a directory's files, and of what counts outside of it.

    Args:
        root: The workspace.
        outside: Configuration outside of the workspace.
        folders: Further directories of sources, in the workspace or not.
        most_outside: Files and directories outside of the workspace that are looked at.
    """
    snapshot = Snapshot(taken=time.monotonic())
    # A directory that is looked at by itself is left out where it is met again.
    apart = frozenset({str(root), *folders})
    inside = {each for each in apart if each == str(root) or each.startswith(f"{root}/")}
    for folder in inside:
        _take(snapshot, _walk(folder, apart))
    room = most_outside
    for folder in apart - inside:
        room -= _take(snapshot, islice(_walk(folder, apart), room + 1))
        if room < 0:
            return replace(snapshot, whole=False)
    for path in outside:
        snapshot.configuration[str(path)] = _stamp(path)
    return snapshot


def _take(snapshot: Snapshot, entries: Iterable[os.DirEntry[str]]) -> int:
    """Add the stamps of what counts, and return how many entries there were."""
    settled = time.time_ns() - TICK_NS
    count = 0
    for entry in entries:
        count += 1
        if entry.name == "site-packages" or entry.name in _CONFIGURATION:
            snapshot.configuration[entry.path] = _stamp(entry)
        elif entry.is_dir(follow_symlinks=False):
            snapshot.configuration[entry.path] = _NOTHING
        elif entry.name.endswith(_SUFFIXES):
            stamp = snapshot.sources[entry.path] = _stamp(entry)
            if max(stamp[0], stamp[3]) > settled:
                snapshot.fresh.add(entry.path)
    return count


def outside_of(root: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return what outside of a workspace's files decides how they are checked.

    Args:
        root: The workspace.
        environment: The environment that the type checker gets.
    """
    home = _home(environment)
    settings = settings_of(environment)
    prefixes = {sys.prefix, *(environment.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))}
    installed = (
        found
        for prefix in sorted(filter(None, prefixes))
        for found in Path(prefix).glob("lib/python*/site-packages")
    )
    around = (root, *root.parents)
    program = shutil.which("ty", path=environment.get("PATH"))
    git = (home / ".gitconfig", settings / "git" / "config")
    return [
        *(folder / name for folder in root.parents for name in sorted(_CONFIGURATION)),
        *(folder / ".git" / "info" / "exclude" for folder in around),
        *(folder / ".venv" / name for folder in around for name in ("", "pyvenv.cfg")),
        *git,
        settings / "git" / "ignore",
        *(root / each for path in git for each in _excludes(path, home)),
        settings / "ty" / "ty.toml",
        *([Path(program)] if program is not None else []),
        *installed,
    ]


def _excludes(path: Path, home: Path) -> Iterator[Path]:
    """Yield the ignore files that a configuration of git names."""
    try:
        found = _EXCLUDES.findall(read_regular(str(path)))
    except (OSError, ValueError):
        return
    for each in found:
        name = os.fsdecode(each)
        if "\0" not in name:
            yield home / name[2:] if name.startswith("~/") else Path(name)


def settings_of(environment: Mapping[str, str]) -> Path:
    """Return the directory of the user's settings."""
    return Path(environment.get("XDG_CONFIG_HOME") or _home(environment) / ".config")


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME", "~")).expanduser()


def _stamp(entry: os.DirEntry[str] | Path) -> Stamp:
    try:
        found = entry.stat()
    except OSError:  # a dangling link, or gone meanwhile: both are a state of their own
        return _NOTHING
    # The inode too: a file replaced within the clock's resolution is another file.
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)


def _walk(folder: str, apart: frozenset[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a directory, and the directories that can be imported.

    It does not go into site-packages, nor into directories that are looked at apart.
    """
    # Not one generator inside the other: directories can be nested deeper than calls.
    ahead = [(folder, True)]
    while ahead:
        folder, importable = ahead.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name in _SKIPPED:
                    continue
                # Nothing imports from below `.hypothesis` and the like, where directories come and go.
                below = importable and not entry.name.startswith(".")
                if entry.name == "site-packages" or (below and _is_package(entry.name)):
                    yield entry
                if entry.name != "site-packages" and entry.path not in apart:
                    ahead.append((entry.path, below))
            # Opening a pipe would wait for its writer; the type checker leaves it alone too.
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                yield entry


def _is_package(name: str) -> bool:
    """Return whether a directory of that name can be imported, with files in it or without."""
    return name.isidentifier() or name.endswith("-stubs")


def read_regular(path: str) -> bytes:
    """Return the bytes of a file; it may be a link to one.

    Raises:
        OSError: It cannot be read, or is a pipe or the like, which could be waited for for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
