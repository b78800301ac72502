"""Files that programs obey without asking: whoever writes them may run commands.

`.git` holds hooks and commands for git, an environment holds the tools that Punie runs unasked, editors and
other agents run tasks, hooks and servers from their folders, Punie's own data folder holds what was allowed
for ever. So a write there is asked for even where writes in general are not.

Not covered: files that such a file names, as `core.hooksPath` does, and links to such folders that stand
neither in the file's own folder nor above it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from punie_agent.paths import data_dir

__all__ = ["guarded", "named_in"]

_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".husky", ".venv"}
    | {".vscode", ".idea", ".zed", ".cursor", ".windsurf"}
    | {".claude", ".codex", ".gemini"}
)
_FILES = frozenset({".envrc", ".mcp.json", ".pre-commit-config.yaml"})
_LINKED = (*_FOLDERS, *_FILES, ".git/hooks", ".git/config", ".git/info")
_HEAD = "HEAD"
_BESIDE_A_HEAD = frozenset(
    {
        "commondir",
        "config",
        "config.worktree",
        "hooks",
        "info",
        "modules",
        "objects",
        "refs",
        "worktrees",
    }
)
"""What makes a folder a repository without a `.git`, beside a HEAD; and what git reads or runs there."""
_MOST_PATH = 4096
_MOST_GIT_FILE = 8192


def guarded(path: str, roots: Sequence[Path], together: Collection[str] = ()) -> str | None:
    """Return the path if writing it takes a permission of its own, None otherwise.

    The path is from its root where that is the first one, and absolute elsewhere, so that each file has one
    name.

    Args:
        path: as the code gave it.
        roots: the workspace's folders; the first is where relative paths begin.
        together: what is written along with it.
    """
    try:
        full = (roots[0] / path).resolve()
    except (OSError, ValueError, RuntimeError, IndexError):
        return None  # no path at all: the tool will say so
    root = next((each for each in roots if full.is_relative_to(each)), None)
    if root is None:
        return None  # outside: the tool will refuse
    as_given = Path(os.path.normpath(roots[0] / path))
    try:
        found = (
            _is_named(full, roots)
            or _is_named(as_given, roots)
            or _is_ours(full, root)
            or _in_environment(full, root)
            or _is_linked_to(full, root)
            or _in_repository(full, roots)
            or _makes_repository(full, root, [(roots[0] / each).resolve() for each in together])
        )
    except (OSError, ValueError, RuntimeError):  # what cannot be looked at is asked about
        found = True
    if not found:
        return None
    return full.relative_to(root).as_posix() if root == roots[0] else full.as_posix()


def named_in(value: object) -> Iterator[str]:
    """Every text in the arguments of a call that could be the name of a file, however deep it lies.

    What is several lines, or very long, even in its shortest spelling is some file's content.
    """
    if isinstance(value, str):
        shortest = os.path.normpath(value)
        if value and len(shortest) < _MOST_PATH and "\n" not in shortest:
            yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from named_in(key)
            yield from named_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from named_in(each)


def _is_named(path: Path, roots: Sequence[Path]) -> bool:
    """True where the names alone tell."""
    for root in roots:
        if path.is_relative_to(root):
            # Some file systems know one name in any case.
            parts = [part.casefold() for part in path.relative_to(root).parts]
            if not _FOLDERS.isdisjoint(parts) or (parts and parts[-1] in _FILES):
                return True
    return False


def _is_ours(full: Path, root: Path) -> bool:
    """True for Punie's own data, and for a person's settings where the workspace holds their home."""
    home = Path.home().resolve()
    within = home.is_relative_to(root) and full.is_relative_to(home) and full != home
    settings = within and full.relative_to(home).parts[0].startswith(".")
    return settings or full.is_relative_to(data_dir().resolve())


def _in_environment(full: Path, root: Path) -> bool:
    """True inside a virtual environment, whatever its name."""
    return any((folder / "pyvenv.cfg").exists() for folder in (full, *_above(full, root)))


def _is_linked_to(full: Path, root: Path) -> bool:
    """True for what a link of a telling name leads to: `.vscode` may be a link to `settings/editor`."""
    links = (folder / name for folder in _above(full, root) for name in _LINKED)
    return any(link.is_symlink() and full.is_relative_to(link.resolve()) for link in links)


def _in_repository(full: Path, roots: Sequence[Path]) -> bool:
    """True inside the repository that a file named `.git` says there is, here or for a root."""
    folders = {*full.parents, *roots, *(folder for root in roots for folder in root.parents)}
    return any(
        full.is_relative_to(repository)
        for folder in folders
        for repository in _repositories(folder / ".git")
    )


def _repositories(git: Path) -> Iterator[Path]:
    """The folder that such a file names; for a worktree, also the one that all worktrees share."""
    if not git.is_file():
        return
    own = _named_folder(git, "gitdir:")
    if own is not None:
        yield own
        shared = _named_folder(own / "commondir", "")
        if shared is not None:
            yield shared


def _named_folder(file: Path, before: str) -> Path | None:
    try:
        with file.open("rb") as opened:
            text = os.fsdecode(opened.read(_MOST_GIT_FILE))
        named = text.removeprefix(before).strip()
        return (file.parent / named).resolve() if text.startswith(before) and named else None
    except (OSError, ValueError, RuntimeError):  # git cannot follow it either
        return None


def _makes_repository(full: Path, root: Path, together: Collection[Path]) -> bool:
    """True where git would find a repository by the files in a folder, or nearly so.

    Whichever file comes last to a HEAD and what belongs beside it is asked about, and all that follow.
    """

    def there(path: Path) -> bool:
        return os.path.lexists(path) or any(each.is_relative_to(path) for each in together)

    for folder in _above(full, root):
        name = full.relative_to(folder).parts[0].casefold()
        if name == _HEAD.casefold() and any(there(folder / each) for each in _BESIDE_A_HEAD):
            return True
        if name in _BESIDE_A_HEAD and there(folder / _HEAD):
            return True
    return False


def _above(full: Path, root: Path) -> list[Path]:
    """The folders that a path is in, up to its root."""
    return [each for each in full.parents if each.is_relative_to(root)]
