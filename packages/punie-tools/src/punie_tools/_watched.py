"""What outside of the workspace a language server reads, as it says itself.

A server registers for the directories in which it looks for modules: the project, which may begin
above the workspace, `environment.extra-paths`, PYTHONPATH, the environment and its editable installs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_tools._snapshot import read_regular
from punie_tools.paths import uri_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Watched", "watched_by"]

_METHOD = "workspace/didChangeWatchedFiles"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Watched:
    """What a server reads.

    Attributes:
        folders: Directories whose sources it reads.
        files: What decides which directories these are, installed packages included.
    """

    folders: tuple[str, ...]
    files: tuple[Path, ...]


def watched_by(registrations: list[Any], environment: Mapping[str, str]) -> Watched | None:
    """Return what a server reads, or None where it does not say.

    Args:
        registrations: What it registered for.
        environment: The environment that it got.
    """
    try:
        found = [Path(each) for each in _bases(registrations)]
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    installed = [each for each in found if each.name in _INSTALLED]
    sources = [each for each in found if each.name not in _INSTALLED]
    if not sources:  # the project comes first
        return None
    # `lib/python3.14/site-packages`: besides, an environment says in one file which Python it is of.
    environments = {each.parents[2] for each in installed if len(each.parents) > 2}
    links = [path for folder in installed for path in _links(folder)]
    named = {Path(each) for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each}
    named |= {target for path in links for target in _targets(path)}
    # What is named and not there may be made.
    absent = {each for each in named if each.is_absolute() and not os.path.isdir(each)}  # noqa: PTH112 - it never raises
    return Watched(
        folders=tuple(
            str(each) for each in sources if each == sources[0] or each not in environments
        ),
        files=(
            *installed,
            *(each / "pyvenv.cfg" for each in sorted(environments)),
            *links,
            *sorted(absent),
        ),
    )


def _bases(registrations: Iterable[Any]) -> Iterator[str]:
    """Yield the directories for which a server registered."""
    for registration in registrations:
        if registration["method"] == _METHOD:
            for watcher in registration["registerOptions"]["watchers"]:
                # Without a directory it is a pattern within the workspace.
                if isinstance(pattern := watcher["globPattern"], dict):
                    path = uri_path(pattern["baseUri"])
                    if not path.startswith("/") or "\0" in path:
                        raise ValueError("a directory that is none")
                    yield path


def _links(folder: Path) -> list[Path]:
    """Return the `.pth` files of a directory."""
    try:
        return sorted(each for each in folder.iterdir() if each.name.endswith(".pth"))
    except OSError:
        return []


def _targets(path: Path) -> Iterator[Path]:
    """Yield the directories that a `.pth` file adds."""
    try:
        lines = os.fsdecode(read_regular(str(path))).splitlines()
    except OSError:
        return
    for line in lines:
        text = line.strip()
        if text and "\0" not in text and not text.startswith(("#", "import ", "import\t")):
            yield path.parent / text
