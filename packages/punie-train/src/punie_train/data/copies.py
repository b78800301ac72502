"""One folder that is the copy of one scene after another, all of the same workspace.

Making a folder is dear on a disk, and removing one dearer; so what scenes of a workspace have in common
stays, as long as nothing touched it. A copy cannot be told from a fresh one: what was added is removed and
made anew, in the same order, because some file systems list files in the order in which they were made.

Covered: looking at all that is there, and going on to the next scene. Not covered: times of files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from punie_train.data.workspaces import Scene, Workspace, files_digest, materialise

__all__ = ["Copy", "Found", "Tree", "look"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was found.

    Attributes:
        content: its bytes.
        modified: when it was last written, in nanoseconds.
        same: differs if it was made anew, or who may do what with it was changed.
    """

    content: bytes
    modified: int
    same: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """All that is in a folder, by path.

    Attributes:
        files: regular files.
        folders: what tells a folder from another of its name; the folder itself is "".
        others: links, pipes, and what cannot be read.
    """

    files: dict[str, Found] = field(default_factory=dict)
    folders: dict[str, tuple[int, ...]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)


def look(root: Path) -> Tree:
    """Return what is in a folder."""
    tree = Tree()
    with contextlib.suppress(OSError):
        tree.folders[""] = _same(root.lstat())
    ahead = [(str(root), "")]
    while ahead:
        folder, prefix = ahead.pop()
        # One that is closed to us is not as it was laid out, which its mode tells.
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if not _take(entry, path, tree):
                    tree.others.add(path)
                elif path in tree.folders:
                    ahead.append((entry.path, f"{path}/"))
    return tree


def _take(entry: os.DirEntry[str], path: str, tree: Tree) -> bool:
    """Add a file or folder; return whether it is one that can be read."""
    try:
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            tree.folders[path] = _same(found)
        elif stat.S_ISREG(found.st_mode):
            tree.files[path] = Found(_read(entry.path), found.st_mtime_ns, _same(found))
        else:
            return False
    except OSError:
        return False
    return True


def _read(path: str) -> bytes:
    # Without the buffers and checks of `open`: this is done a dozen times for each call of a tool.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        parts = []
        while part := os.read(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _same(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_ino, found.st_mode, found.st_uid, found.st_gid)


class Copy:
    """The copy of a workspace's scenes.

    Attributes:
        root: the folder.
        workspace: whose scenes it shows.
    """

    def __init__(self, root: Path, workspace: Workspace) -> None:
        """Say where; `show` makes the folder."""
        self.root = root
        self.workspace = workspace
        self._laid = Tree()
        self._shown = (Tree(), "")

    def show(self, scene: Scene) -> str:
        """Be a scene of the workspace, as if freshly made; return the digest of its files."""
        digest, tree = files_digest(scene.files), look(self.root)
        if self._shown[1] == digest and _alike(self._shown[0], tree):
            return digest
        if not self._untouched(tree):
            self.remove()
            self.root.mkdir(parents=True)
            materialise(self.workspace.files, self.root)
            self._laid = look(self.root)
        materialise(scene.extra, self.root)
        self._shown = (look(self.root), digest)
        return digest

    def remove(self) -> None:
        """Remove the folder."""
        if not self.root.exists():
            return
        self.root.chmod(stat.S_IRWXU)
        for folder, folders, _ in os.walk(self.root):
            for each in map(Path(folder).joinpath, folders):
                if not each.is_symlink():  # whatever it leads to is not ours
                    each.chmod(stat.S_IRWXU)
        shutil.rmtree(self.root)

    def _untouched(self, tree: Tree) -> bool:
        """Remove what was added, and return whether the rest is what was laid out, unchanged."""
        laid = self._laid
        rest = Tree(
            {path: found for path, found in tree.files.items() if path in laid.files},
            {path: found for path, found in tree.folders.items() if path in laid.folders},
        )
        if not laid.files or not _alike(laid, rest):
            return False
        try:
            for path in (tree.files.keys() - laid.files.keys()) | tree.others:
                (self.root / path).unlink()
            # The deepest first.
            for path in sorted(tree.folders.keys() - laid.folders.keys(), reverse=True):
                (self.root / path).rmdir()
        except OSError:  # closed to us
            return False
        return True


def _alike(one: Tree, other: Tree) -> bool:
    """Whether two states of a folder differ in nothing but times."""

    def plain(tree: Tree) -> dict[str, tuple[bytes, tuple[int, ...]]]:
        return {path: (found.content, found.same) for path, found in tree.files.items()}

    return (plain(one), one.folders, one.others) == (plain(other), other.folders, other.others)
