"""Whether a workspace's `.venv` is its owner's, or came with the repository.

A program in `.venv/bin` wins over all others, for reading tools too. Made by the owner, that is what
the project wants; in a clone that has it under version control, it is whatever a stranger put there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["OwnPrograms"]

_TIMEOUT_S = 30
_Signature = tuple[int, ...]
_REASONS = {
    True: "not used: it is under version control",
    False: None,
    None: "not used: git does not say whether it is under version control",
}


class OwnPrograms:
    """The `.venv/bin` of one workspace, while it can be trusted."""

    def __init__(
        self, root: Path, elsewhere: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Prepare to look.

        Args:
            root: The workspace.
            elsewhere: Directories outside it in which to look for git.
            environment: What git's environment starts from.
        """
        self._root = root
        self._elsewhere = os.pathsep.join(elsewhere)
        self._environment = environment
        self._known: tuple[_Signature, bool] | None = None
        self._refused: str | None = None

    def folders(self) -> list[str]:
        """Return the directory of the workspace's programs, or nothing where they are a stranger's."""
        folder = self._root / ".venv" / "bin"
        return [str(folder)] if folder.is_dir() and not self._tracked() else []

    def refused(self) -> str | None:
        """Return why what is in `.venv` is not used; None where it is, or where there is nothing."""
        return None if self.folders() else self._refused

    def _tracked(self) -> bool:
        """Return whether the repository has anything in `.venv`, or `.venv` itself, as its own."""
        index = _index(self._root)
        if index is None:
            self._refused = None
            return False
        signature = _signature(index)
        if signature and self._known is not None and self._known[0] == signature:
            tracked = self._known[1]
        else:
            tracked = self._ask()
            self._known = None if tracked is None else (signature, tracked)
        self._refused = _REASONS[tracked]
        return tracked is not False

    def _ask(self) -> bool | None:
        """Return what git says; None where there is a repository and no answer about it."""
        git = shutil.which("git", path=self._elsewhere)
        if git is None:
            return None
        # As in `_git`: the repository's own configuration must not run programs.
        guards = (
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "safe.bareRepository=explicit",
        )
        options = [part for guard in guards for part in ("-c", guard)]
        # In any case of letters: where the file system does not tell them apart, `.Venv` is `.venv`.
        command = [git, *options, "--icase-pathspecs", "ls-files", "-z", "--", ".venv"]
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        # 128 is not only "no repository": git also refuses one that belongs to somebody else.
        return bool(done.stdout) if done.returncode == 0 else None


def _index(root: Path) -> Path | None:
    """Return the index of the repository that a directory is in; None where it is in none."""
    for folder in (root, *root.parents):
        git = folder / ".git"
        if git.is_file():  # a worktree or a submodule, whose repository is elsewhere
            try:
                where = git.read_bytes().removeprefix(b"gitdir:").strip()
            except OSError:
                return git
            return folder / os.fsdecode(where) / "index"
        if git.exists():
            return git / "index"
    return None


def _signature(index: Path) -> _Signature:
    """Return what changes when the index does; nothing where there is none yet."""
    try:
        stat = index.stat()
    except (OSError, ValueError):
        return ()
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
