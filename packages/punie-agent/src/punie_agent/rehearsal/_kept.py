"""What an edit took away from a Python file: a check is silenced soonest by removing what it is about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

__all__ = ["lost_names", "lost_uses"]

_SUPPRESSION = re.compile(r"#\s*(?:type:\s*ignore|ty:\s*ignore|noqa|pyright:)|@?\bno_type_check\b")


def lost_names(before: str, after: str) -> list[str]:
    """The functions, classes, methods and parameters of a program that another one lacks.

    A program that is not Python lacks everything; suppressing checks counts as a loss.

    Args:
        before: a Python program.
        after: what became of it.

    Raises:
        SyntaxError: what there was before is no Python.
        RecursionError: a program is nested too deeply to be parsed; MemoryError likewise.
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


def lost_uses(before: str, after: str) -> list[str]:
    """The parameters and local variables that a program still has and uses no more, by their function.

    A wrong use is repaired by another one. An edit that leaves a name without any has dropped what the
    function was to do with it: `return name.capitalise()` becomes `return ""`, and type checks.

    Args:
        before: a Python program.
        after: what became of it, Python as well.

    Raises:
        SyntaxError: one of them is no Python.
        RecursionError: a program is nested too deeply to be parsed; MemoryError likewise.
    """
    old, new = _used(ast.parse(before)), _used(ast.parse(after))
    return sorted(
        f"{function}.{name}"
        for function, (bound, read) in new.items()
        if function in old
        for name in bound & old[function][1] - read
    )


def _used(tree: ast.Module) -> dict[str, tuple[set[str], set[str]]]:
    """What each function binds, parameters included, and what it reads, inner functions included."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for name, node in _definitions(tree):
        if not isinstance(node, ast.ClassDef):
            names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
            bound = {each.id for each in names if isinstance(each.ctx, ast.Store)}
            bound |= {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
            found[name] = bound, {each.id for each in names if isinstance(each.ctx, ast.Load)}
    return found


def _names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for name, node in _definitions(tree):
        names.add(name)
        if not isinstance(node, ast.ClassDef):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names.update(f"{name}.{argument.arg}" for argument in every)
    return names


_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definitions(tree: ast.Module) -> Iterator[tuple[str, _Definition]]:
    """Yield all functions, methods and classes with their dotted names."""
    # A stack: a program may be nested as deep as it likes.
    left: list[tuple[ast.AST, str]] = [(tree, "")]
    while left:
        node, prefix = left.pop()
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, _Definition):
                yield f"{prefix}{child.name}", child
                inner = f"{prefix}{child.name}."
            left.append((child, inner))


def _evasions(code: str) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id in {"Any", "cast"}
        for node in ast.walk(ast.parse(code))
    )
