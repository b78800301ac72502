"""Files that programs obey without asking: whoever writes them may run commands.

`.git` holds hooks and commands for git, an environment holds the tools that Punie runs unasked, editors run
tasks from their folders, Punie's own data folder holds what was allowed for ever. So a write there is asked
for even where writes in general are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from punie_agent.paths import data_dir

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
    found = names or _is_ours(full, root) or _in_environment(full, root)
    return shown.as_posix() if found else None


def _is_ours(full: Path, root: Path) -> bool:
    """True for Punie's own data, and for a person's settings where the workspace is their home."""
    home = Path.home().resolve()
    settings = root == home and full != home and full.relative_to(home).parts[0].startswith(".")
    return settings or full.is_relative_to(data_dir().resolve())


def _in_environment(full: Path, root: Path) -> bool:
    """True inside a virtual environment, whatever its name."""
    folders = [each for each in full.parents if each.is_relative_to(root)]
    return any((folder / "pyvenv.cfg").exists() for folder in folders)
