"""Small questions about a piece of Python text, answered from its syntax tree."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator

__all__ = ["acts", "call_text", "calls_any", "parses"]

_PRINTERS = frozenset({"print", "pprint"})


def _tree(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        # An invalid escape in a model's string is not this process's warning to show.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parses(code: str) -> bool:
    """True when the text is syntactically valid Python."""
    return _tree(code) is not None


def acts(code: str, tools: Collection[str]) -> bool:
    """True when running the code could do or show something: it calls a tool, or prints.

    A block of definitions and assignments alone is an illustration inside an answer: running it
    would tell nobody anything. Code that does not parse counts when it names a tool or print as a
    call, so that its author hears of the syntax error.
    """
    tree = _tree(code)
    if tree is None:
        names = "|".join(re.escape(name) for name in sorted({*tools, *_PRINTERS}))
        return re.search(rf"\b(?:{names})\s*\(", code) is not None
    if _ends_with_a_value(tree):
        return True
    called = {node.func.id for node in _calls(tree) if isinstance(node.func, ast.Name)}
    if called & set(tools):
        return True
    at_top = {
        node.func.id for node in _calls_outside_definitions(tree) if isinstance(node.func, ast.Name)
    }
    return bool(at_top & _PRINTERS)


def _ends_with_a_value(tree: ast.Module) -> bool:
    """True when a last expression would be shown, as at a Python prompt.

    Not so after definitions: those are examples that show how a thing is used. A docstring or `...` is
    no value either.
    """
    if any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for node in tree.body
    ):
        return False
    last = tree.body[-1] if tree.body else None
    return isinstance(last, ast.Expr) and not isinstance(last.value, ast.Constant)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _calls_outside_definitions(node: ast.AST) -> Iterator[ast.Call]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from _calls_outside_definitions(child)


def call_text(tool: str, arguments: dict[str, object]) -> str:
    """Code that calls one tool with these arguments and prints what it returns."""
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"print({tool}({written}))"


def calls_any(code: str, tools: Collection[str]) -> bool:
    """True when the code, which must parse, calls one of the tools by name."""
    tree = _tree(code)
    if tree is None:
        return False
    return any(isinstance(call.func, ast.Name) and call.func.id in tools for call in _calls(tree))
