"""The small projects that examples act on, and what is deliberately wrong in them.

A `Scene` is a workspace with, maybe, one more module: it is what one example sees. Scenes are values
(path → text); `materialise` writes one to disk.
"""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from punie_train.errors import DataError

__all__ = [
    "Edit",
    "Scene",
    "Symbol",
    "Workspace",
    "materialise",
    "read_workspaces",
    "scene_files",
]

_IGNORED = {"__pycache__", ".ruff_cache", ".pytest_cache"}


@dataclass(frozen=True)
class Edit:
    """A text that is wrong in a file, and what it should be."""

    file: str
    wrong: str
    right: str


@dataclass(frozen=True)
class Symbol:
    """A class or function defined at the top of a file."""

    name: str
    kind: str
    file: str

    @property
    def keyword(self) -> str:
        """The word its definition starts with."""
        return "def" if self.kind == "function" else "class"


@dataclass(frozen=True)
class Workspace:
    """A project.

    Attributes:
        name: its folder's name.
        files: text by path.
        type_errors: what to change so that it type checks.
        lint: what to change so that it lints.
        failing_tests: what to change so that its tests pass.
    """

    name: str
    files: Mapping[str, str]
    type_errors: tuple[Edit, ...] = ()
    lint: tuple[Edit, ...] = ()
    failing_tests: tuple[Edit, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names and contents."""
        return files_digest(self.files)


@dataclass(frozen=True)
class Scene:
    """A workspace and the files that one example adds to it."""

    workspace: Workspace
    extra: Mapping[str, str]

    @cached_property
    def files(self) -> dict[str, str]:
        """All files, text by path."""
        return {**self.workspace.files, **self.extra}

    def takes(self, path: str) -> bool:
        """Whether a new file can have this path: nothing is there, and no file where it needs a folder."""
        parts = path.split("/")
        folders = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        return not (
            path in self.files
            or folders & set(self.files)
            or any(file.startswith(f"{path}/") for file in self.files)
        )

    @property
    def python_files(self) -> list[str]:
        """Python files that hold something."""
        return [path for path, text in self.files.items() if path.endswith(".py") and text.strip()]

    @property
    def folders(self) -> list[str]:
        """Folders that hold Python files, at any depth, without the project's own."""
        found = {
            parent.as_posix()
            for path in self.python_files
            for parent in PurePosixPath(path).parents
        }
        return sorted(found - {"."})

    @property
    def symbols(self) -> list[Symbol]:
        """Classes and functions whose name is defined once in the scene."""
        found = [
            symbol for path in self.python_files for symbol in _symbols(path, self.files[path])
        ]
        names = [symbol.name for symbol in found]
        return [symbol for symbol in found if names.count(symbol.name) == 1]


def _symbols(path: str, text: str) -> list[Symbol]:
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            found.append(Symbol(node.name, "class", path))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
            found.append(Symbol(node.name, "function", path))
    return found


def files_digest(files: Mapping[str, str]) -> str:
    """Return one SHA-256 over paths and texts."""
    digest = hashlib.sha256()
    for path, text in sorted(files.items()):
        digest.update(f"{path}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()


def read_workspaces(folder: Path) -> dict[str, Workspace]:
    """Read the workspaces that have a list of faults (`NAME.toml` beside `NAME/`).

    Raises:
        DataError: a list names a file or a text that is not there; the message names both.
    """
    found = {}
    for manifest in sorted(folder.glob("*.toml")):
        root = manifest.with_suffix("")
        if not root.is_dir():
            raise DataError(f"{manifest}: the folder {root.name}/ is missing beside it.")
        try:
            table = tomllib.loads(manifest.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{manifest}: not valid TOML: {error}.") from None
        files = {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(root.rglob("*"))
            if path.is_file() and not _IGNORED & set(path.parts)
        }
        found[root.name] = Workspace(
            name=root.name,
            files=files,
            type_errors=_edits(manifest, table, "type_error", files),
            lint=_edits(manifest, table, "lint", files),
            failing_tests=_edits(manifest, table, "failing_test", files),
        )
    if not found:
        raise DataError(f"{folder}: no workspace with a list of faults (NAME.toml beside NAME/).")
    return found


def _edits(
    manifest: Path, table: Mapping[str, Any], key: str, files: Mapping[str, str]
) -> tuple[Edit, ...]:
    edits = []
    for row in table.get(key, []):
        edit = Edit(row["file"], row["wrong"], row["right"])
        if files.get(edit.file, "").count(edit.wrong) != 1:
            raise DataError(
                f"{manifest}: [[{key}]] {edit.wrong!r} must stand exactly once in {edit.file}."
            )
        edits.append(edit)
    return tuple(edits)


def materialise(files: Mapping[str, str], folder: Path) -> None:
    """Write the files of a scene into a folder."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def scene_files(record: Mapping[str, Any], workspaces: Mapping[str, Workspace]) -> dict[str, str]:
    """Return the files that a record's programs acted on, text by path; none for a direct answer.

    Raises:
        DataError: the record names a workspace that is not there.
    """
    name = record["workspace"]
    if name is None:
        return {}
    if name not in workspaces:
        known = ", ".join(sorted(workspaces))
        raise DataError(f"{record['id']}: no workspace {name!r}; there are {known}.")
    return {**workspaces[name].files, **record["files"]}
