"""Annotations that a check contradicts, and what it says would agree with the code.

A type checker that finds a `str` where an annotation promises an `int` names both, but not which of them is
wrong. A small model mends the one that it has seen wrong more often, and its alternatives keep to that line.
So the annotation that would agree is one of the ways, after what the model is in two minds about: an edit is
made only where it passes the check, and only if whoever is asked allows it.

Covered: results, default values and assignments that an annotation in the lines shown contradicts, as ty puts
it. Not covered: arguments, where the other side is the signature of somebody else's function.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

__all__ = ["agreeing"]

_RESULT = re.compile(
    r"does not match returned value: expected `(?P<wanted>[^`]+)`, found `(?P<found>[^`]+)`"
)
_DEFAULT = re.compile(
    r"Default value of type `(?P<found>[^`]+)` is not assignable to annotated parameter type "
    r"`(?P<wanted>[^`]+)`"
)
_VALUE = re.compile(r"Object of type `(?P<found>[^`]+)` is not assignable to `(?P<wanted>[^`]+)`")
_FUNCTION = re.compile(r"(async\s+)?def\s")
_NAME = re.compile(r"[^\W\d]\w*")
_LONGEST = 200
"""Characters of a type that somebody might write; what a checker infers has no limit."""


def agreeing(found: str, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The lines whose annotations a check contradicts, and those lines with what would agree.

    Args:
        found: what the check found, each message before the lines of the files that it is about, the flagged
            one last.
        files: the texts of the files that are edited.
    """
    known = {name for file in files for name in _NAME.findall(file)} | set(dir(builtins))
    said: list[tuple[str, list[str]]] = [("", [])]
    for line in filter(None, map(str.strip, found.splitlines())):
        if any(line in file for file in files):
            said[-1][1].append(line)
        else:
            said.append((line, []))
    for message, lines in said:
        yield from _changed(message, lines, known)


def _changed(message: str, lines: Sequence[str], known: set[str]) -> Iterator[tuple[str, str]]:
    if not lines:
        return
    flagged = lines[-1]
    if said := _RESULT.search(message):
        functions = [line for line in lines if _FUNCTION.match(line)]
        line, before, after = functions[-1] if functions else "", r"->\s*", r"(?=\s*:)"
    elif said := _DEFAULT.search(message):
        line, before, after = flagged, r":\s*", r"(?=\s*=)"
    elif said := _VALUE.search(message):
        line, before, after = flagged, r"^[\w.]+\s*:\s*", r"(?=\s*=)"
    else:
        return
    agrees = _annotation(said["found"], known)
    if agrees == "None" and said.re is not _RESULT:
        agrees = f"{said['wanted']} | None"
    wrong = re.compile(f"({before}){re.escape(said['wanted'])}{after}")
    if agrees is not None and len(wrong.findall(line)) == 1:
        yield line, wrong.sub(lambda place: f"{place[1]}{agrees}", line)


def _annotation(shown: str, known: set[str]) -> str | None:
    """A type as a checker shows it, as one would write it; None where that is not known."""
    shown = re.sub(r" & ~Always(Falsy|Truthy)\b", "", shown)
    if len(shown) > _LONGEST:
        return None
    try:
        tree = ast.parse(shown, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    parts = dict.fromkeys(part for each in _members(tree) for part in _plain(each))
    text = " | ".join(parts)
    return text if set(_NAME.findall(text)) <= known else None


def _members(tree: ast.expr) -> list[ast.expr]:
    """The members of a union."""
    match tree:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_members(left), *_members(right)]
    return [tree]


def _plain(tree: ast.expr) -> list[str]:
    """A member as it is written; the types of its values where it lists those."""
    match tree:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=value)):
            return [type(value).__name__]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=values)):
            return [type(each.value).__name__ for each in values if isinstance(each, ast.Constant)]
    return [ast.unparse(tree)]
