"""`fnmatch`: shell patterns, matched case-sensitively as on POSIX systems."""

# ruff: noqa: A001, C901, PLR0912, UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

import re
from typing import Iterable


def translate(pat: str) -> str:
    """The pattern as a regular expression."""
    done = ""
    at = 0
    while at < len(pat):
        char = pat[at]
        at += 1
        if char == "*":
            if not done.endswith(".*"):
                done += ".*"
        elif char == "?":
            done += "."
        elif char == "[":
            end = at
            if pat[end : end + 1] == "!":
                end += 1
            if pat[end : end + 1] == "]":
                end += 1
            while end < len(pat) and pat[end] != "]":
                end += 1
            if end >= len(pat):
                done += "\\["
            else:
                inner = pat[at:end].replace("\\", "\\\\")
                at = end + 1
                if inner.startswith("!"):
                    inner = "^" + inner[1:]
                elif inner.startswith("^"):
                    inner = "\\" + inner
                inner = (
                    inner.replace("[", "\\[")
                    .replace("&&", "&\\&")
                    .replace("~~", "~\\~")
                    .replace("||", "|\\|")
                )
                if inner.startswith("]"):
                    inner = "\\" + inner
                elif inner.startswith("^]"):
                    inner = "^\\" + inner[1:]
                done += "[" + inner + "]"
        else:
            done += re.escape(char)
    return "(?s:" + done + ")\\Z"


def fnmatchcase(name: str, pat: str) -> bool:
    """Whether the name matches the pattern."""
    return re.match(translate(pat), name) is not None


def fnmatch(name: str, pat: str) -> bool:
    """Whether the name matches the pattern."""
    return fnmatchcase(name, pat)


def filter(names: Iterable[str], pat: str) -> list[str]:
    """The names that match."""
    return [name for name in names if fnmatchcase(name, pat)]
