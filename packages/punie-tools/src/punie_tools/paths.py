"""Workspace paths: containment, and the one way results spell a file.

Covered: symbolic links, `..`, `~`-free relative paths, several roots. Not covered: a link swapped
in by another process between the check and the use (the workspace is the user's own).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from punie_tools.errors import OutsideRootsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_argument", "contain", "display", "uri_path"]


def contain(path: str | Path, roots: Sequence[Path]) -> Path:
    """Return `path` absolute with its links resolved, or raise when it leaves the workspace.

    Args:
        path: Absolute, or relative to the first root.
        roots: The resolved workspace roots; the first is the working directory.

    Raises:
        OutsideRootsError: The path is outside every root, or is not a path at all.
    """
    try:
        resolved = (roots[0] / path).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # NUL byte, over-long name, link loop
        raise OutsideRootsError(f"{str(path)!r} is not a usable path: {error}") from error
    root = next((root for root in roots if resolved.is_relative_to(root)), None)
    if root is not None:
        # Python 3.13 leaves links that lead in a circle as they are; before, resolving them failed.
        below = len(resolved.parts) - len(root.parts)
        if any(_is_link(each) for each in (resolved, *resolved.parents)[:below]):
            raise OutsideRootsError(
                f"{str(path)!r} is not a usable path: a link that leads nowhere"
            )
        return resolved
    where = ", ".join(str(root) for root in roots)
    raise OutsideRootsError(f"{path} is outside the workspace ({where}); use a path inside it")


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # an over-long name is no link; whoever opens it says what is wrong
        return False


def display(path: str | Path, root: Path | None) -> str:
    r"""Return how results name a file: relative to `root` where it is inside, forward slashes.

    Bytes that are no UTF-8 are shown as `\xe9`, so that every result can be written as JSON.
    """
    return _printable(_relative(str(path), root))


def _printable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(text).decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:  # half of a surrogate pair, which no file name has
            return text.encode("utf-8", "backslashreplace").decode()
    return text


def _relative(text: str, root: Path | None) -> str:
    if root is None:
        return text
    prefix = f"{root}/"
    if text.startswith(prefix):
        return text[len(prefix) :]
    if text == str(root):
        return "."
    return text.removeprefix("./")


def as_argument(path: Path, root: Path) -> str:
    """Return `path` as a command-line argument that no tool can mistake for an option."""
    shown = _relative(str(path), root)
    return f"./{shown}" if shown.startswith(("-", "@")) else shown


def uri_path(uri: str) -> str:
    """Return the path of a file URI; anything else is returned as it is."""
    if not uri.startswith("file:"):
        return uri
    return unquote(uri.removeprefix("file://").removeprefix("file:"), errors="backslashreplace")
