"""How deep code is nested, known before it is parsed.

LibCST's parser follows brackets by calls of its own, without a limit: a few kilobytes of `((((…` end the
process, strings that are annotations included. And for each bracket in a `case` it takes several times as
long: twenty are more than anybody waits for. The code is a stranger's, so both are looked for first.
"""

from __future__ import annotations

import re

__all__ = ["check_depth"]

#: As many brackets as Python itself follows.
_MOST = 200
_MOST_IN_CASE = 8
_BRACKET = re.compile(r"[()\[\]{}]")
_CASE = re.compile(r"^[ \t\f]*case\b", re.MULTILINE)
_END_OR_BRACKET = re.compile(r"\\\n|[\n()\[\]{}]")


def check_depth(code: str) -> None:
    """Raise `RecursionError` where code is nested more deeply than can be followed.

    Brackets in strings and comments count too: telling them apart takes a parser.
    """
    depth = 0
    for found in _BRACKET.finditer(code):
        depth = depth + 1 if found[0] in "([{" else max(depth - 1, 0)
        if depth > _MOST:
            raise RecursionError(f"more than {_MOST} brackets are open")
    # Line ends are those that the parser knows.
    text = code.replace("\r\n", "\n").replace("\r", "\n")
    for case in _CASE.finditer(text):
        _check_case(text, case.end())


def _check_case(text: str, start: int) -> None:
    """Raise `RecursionError` where a `case` that goes on at `start` is nested too deeply."""
    depth = 0
    for found in _END_OR_BRACKET.finditer(text, start):
        if found[0] in "([{":
            depth += 1
        elif found[0] in ")]}":
            depth = max(depth - 1, 0)
        elif found[0] == "\n" and depth == 0:
            return
        if depth > _MOST_IN_CASE:
            raise RecursionError(f"more than {_MOST_IN_CASE} brackets are open in a case")
