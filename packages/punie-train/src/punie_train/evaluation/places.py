"""Places: fresh copies of workspaces, and what a turn changed in them.

Covered: copying, comparing, and the names that a Python file defines. Not covered: running anything.
"""

from __future__ import annotations

import ast
import fnmatch
import re
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
_SUPPRESSION = re.compile(r"#\s*(?:type:\s*ignore|ty:\s*ignore|noqa|pyright:)|@?\bno_type_check\b")


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


def lost_names(before: str, after: str) -> list[str]:
    """Return the functions, classes, methods and parameters of a program that another one lacks.

    A program that is not Python lacks everything; suppressing checks counts as a loss.
    """
    try:
        new = _names(ast.parse(after))
    except (SyntaxError, ValueError):
        return ["valid Python"]
    lost = sorted(_names(ast.parse(before)) - new)
    if len(_SUPPRESSION.findall(after)) > len(_SUPPRESSION.findall(before)):
        lost.append("honest types (a check was switched off)")
    if _evasions(after) > _evasions(before):
        lost.append("honest types (Any or cast was added)")
    return lost


def _names(tree: ast.Module) -> set[str]:
    names: set[str] = set()

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}."
                names.add(inner.rstrip("."))
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                every = [*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs]
                names.update(f"{inner}{argument.arg}" for argument in every)
            visit(child, inner)

    visit(tree, "")
    return names


def _evasions(code: str) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id in {"Any", "cast"}
        for node in ast.walk(ast.parse(code))
    )
