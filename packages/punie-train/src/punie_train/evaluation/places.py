"""Places: fresh copies of workspaces, and what a turn changed in them.

Covered: copying and comparing. Not covered: running anything.
"""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from punie_train.artefacts import digest_file
from punie_train.errors import EvaluationError

_IGNORED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".ty_cache"
)
_LITTER = frozenset(
    {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".ty_cache", ".git"}
)


def fresh_copy(workspaces: Path, name: str, into: Path) -> Path:
    """Copy a workspace and return the copy's folder.

    Raises:
        EvaluationError: there is no such workspace.
    """
    source = workspaces / name
    if not source.is_dir():
        raise EvaluationError(f"{source}: there is no such workspace; the suite names it.")
    shutil.copytree(source, into, ignore=_IGNORED, symlinks=True)
    return into.resolve()


def snapshot(folder: Path) -> dict[str, str]:
    """Return the digest of each file below a folder by its relative path, caches left out."""
    return {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _LITTER.intersection(path.relative_to(folder).parts)
    }


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the paths that were made, changed or removed."""
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )


def beyond(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Return the paths that no glob pattern allows."""
    allowed = list(patterns)
    return [path for path in paths if not any(fnmatch.fnmatch(path, glob) for glob in allowed)]
