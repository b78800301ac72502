"""Files that programs obey without asking: whoever writes them may run commands.

`.git` holds hooks and commands for git, an environment holds the tools that Punie runs unasked, editors run
tasks from their folders. So a write there is asked for even where writes in general are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["guarded"]

_FOLDERS = frozenset({".git", ".hg", ".svn", ".venv", ".vscode", ".idea", ".zed", ".husky"})
_FILES = frozenset({".envrc", ".git", ".pre-commit-config.yaml"})


def guarded(path: str, roots: Sequence[Path]) -> str | None:
    """Return the path (from its root) if writing it takes a permission of its own, None otherwise.

    Args:
        path: as the code gave it.
        roots: the workspace's folders; the first is where relative paths begin.
    """
    try:
        full = (roots[0] / path).resolve()
    except (OSError, ValueError, RuntimeError, IndexError):
        return None  # no path at all: the tool will say so
    root = next((each for each in roots if full.is_relative_to(each)), None)
    if root is None:
        return None  # outside: the tool will refuse
    shown = full.relative_to(root)
    parts = [part.casefold() for part in shown.parts]  # some file systems know one name in any case
    names = not _FOLDERS.isdisjoint(parts[:-1]) or (parts and parts[-1] in _FILES)
    return shown.as_posix() if names or _in_environment(full, root) else None


def _in_environment(full: Path, root: Path) -> bool:
    """True inside a virtual environment, whatever its name."""
    folders = [each for each in full.parents if each.is_relative_to(root)]
    return any((folder / "pyvenv.cfg").exists() for folder in folders)
