"""The paths that a conversation mentions, and those a workspace holds."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

__all__ = ["folder_forms", "listing", "mentioned", "plain_words"]

MOST_PATHS = 4000
"""A workspace with more files and folders is not listed: walking it for each reply would be felt."""

_NOT_LISTED = frozenset(
    {"__pycache__", "node_modules", "site-packages", ".git", ".hg", ".venv", ".tox", ".nox"}
)
_WORD = re.compile(r"[^\s\"'`<>|,;(){}\[\]=!?*&^$]+")
_PLACE = re.compile(r"(?::\d+)+:?$")
_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,8}$")
_VERSION = re.compile(r"v?\d+(\.\d+)*$")
_EDGES = "\u201c\u201d\u2018\u2019\u2026"


def listing(root: Path) -> list[str] | None:
    """The files and folders below a folder, relative to it; None when there are too many.

    Left out: version control, environments, caches.
    """
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NOT_LISTED and not name.endswith(("_cache", ".egg-info"))
        )
        base = os.path.relpath(folder, root)
        prefix = "" if base == "." else f"{Path(base).as_posix()}/"
        found += [f"{prefix}{name}/" for name in folders]
        found += [f"{prefix}{name}" for name in sorted(files)]
        if len(found) > MOST_PATHS:
            return None
    return found


def folder_forms(paths: Iterable[str]) -> list[str]:
    """The paths, folders (which end in a slash) both with it and without it."""
    return [form for path in paths for form in {path, path.rstrip("/") or path}]


def mentioned(text: str, known: Collection[str] = ()) -> list[str]:
    """The paths in a text, in their order: what looks like one, and what names a known one.

    Args:
        text: a user's request, or what tools printed.
        known: the workspace's files and folders.
    """
    by_name: dict[str, list[str]] = {}
    for path in known:
        by_name.setdefault(path.rstrip("/").rsplit("/", 1)[-1], []).append(path)
    found: dict[str, None] = {}
    for word in _words(text):
        bare = word.rstrip("/")
        named = by_name.get(bare.rsplit("/", 1)[-1], [])
        exact = [path for path in named if path.rstrip("/") == bare.removeprefix("./")]
        if _looks_like_a_path(word):
            found.update(dict.fromkeys(_spellings(word)))
            found.update(dict.fromkeys(folder_forms(exact)))
        if "/" not in bare:  # a bare name stands for each file of that name
            found.update(dict.fromkeys(folder_forms(named)))
    return list(found)


def plain_words(text: str) -> list[str]:
    """All words of a text that could be a path, whatever they look like."""
    return [form for word in _words(text) for form in _spellings(word)]


def _words(text: str) -> list[str]:
    found = []
    for match in _WORD.finditer(text):
        word = match[0].strip(_EDGES)
        found.append(word)
        bare = _PLACE.sub("", word).rstrip(".:")
        if bare != word:
            found.append(bare)
    return [
        word for word in dict.fromkeys(found) if word.strip("./:-") or word in (".", "./", "..")
    ]


def _spellings(word: str) -> set[str]:
    """A word, and what stands before a colon in it (`tests/test_a.py::test_b` names a file too)."""
    before = word.partition("::")[0]
    return set(folder_forms([word, before])) if before else {word}


def _looks_like_a_path(word: str) -> bool:
    if "://" in word or _VERSION.match(word):
        return False
    return "/" in word or word in (".", "..") or _ENDING.search(word) is not None
