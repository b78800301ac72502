"""What the source of a snippet says by itself."""

from __future__ import annotations

import ast
import functools
import warnings
from dataclasses import dataclass

__all__ = ["REMEMBERED", "Source", "binds", "bound_names", "column_of", "read_source", "text_of"]

_MAX_CODE = 256 * 1024
_MAX_SCOPES = 30
"""Functions in functions; each is read with all it holds, so that depth multiplies what reading costs."""
_MAX_SHOWN = 500
"""Parts of an expression in a message; longer ones help nobody, and are dear when they hold one another."""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
REMEMBERED = 16 * 1024
"""Longer code, in characters, is read anew each time: its tree is a hundred times as large."""


@dataclass(frozen=True, eq=False)
class Source:
    """A snippet, read once.

    Attributes:
        code: the text.
        tree: the syntax tree, None where Python cannot parse it.
        bound: names that running it may bind.
        functions: the functions it defines, nested ones too.
        imports: the modules it imports.
        error: line, column and message, where Python cannot parse it.
    """

    code: str
    tree: ast.Module | None
    bound: frozenset[str]
    functions: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]
    imports: frozenset[str] = frozenset()
    error: tuple[int, int, str] | None = None


def read_source(code: str) -> Source:
    """Read a snippet; asked again, the answer is remembered."""
    return _remembered(code) if len(code) <= REMEMBERED else _read(code)


@functools.lru_cache(maxsize=128)
def _remembered(code: str) -> Source:
    return _read(code)


def _read(code: str) -> Source:
    if len(code) > _MAX_CODE:  # reading it takes time and memory of the host, where no limit holds
        return _unreadable(1, 1, f"the code is longer than {_MAX_CODE} characters")
    try:
        tree = _parsed(code)
    except SyntaxError as error:
        return _unreadable(error.lineno or 1, error.offset or 1, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return _unreadable(1, 1, str(error) or "the code is nested too deeply")
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(node)
        elif isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            imports.add(node.module)
    bound = frozenset(bound_names(tree))
    return Source(code, tree, bound, tuple(functions), frozenset(imports))


def _unreadable(line: int, column: int, message: str) -> Source:
    return Source("", None, frozenset(), (), error=(line, column, message))


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():  # "\d" in a plain string is the code's business
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    if _deepest_scope(tree) > _MAX_SCOPES:
        raise RecursionError("the code is nested too deeply")
    return tree


def _deepest_scope(tree: ast.Module) -> int:
    """How many functions and classes are inside one another at most."""
    deepest = 0
    todo: list[tuple[ast.AST, int]] = [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        depth += isinstance(node, _SCOPES)
        deepest = max(deepest, depth)
        todo.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest


def text_of(node: ast.AST) -> str:
    """A part of a snippet as text, for messages."""
    try:
        return ast.unparse(node) if _is_short(node) else "..."
    except RecursionError:  # it was parsed by a parser that counts levels otherwise
        return "..."


def _is_short(node: ast.AST) -> bool:
    """Whether an expression has few parts; a long list is not even looked into."""
    todo = [node]
    parts = 0
    while todo:
        for _, value in ast.iter_fields(todo.pop()):
            inside = value if isinstance(value, list) else [value]
            parts += len(inside)
            if parts > _MAX_SHOWN:
                return False
            todo.extend(each for each in inside if isinstance(each, ast.AST))
    return True


@functools.lru_cache(maxsize=2)
def _encoded_lines(code: str) -> list[bytes]:
    return code.encode().splitlines()


def column_of(code: str, line: int, offset: int) -> int:
    """The 1-based column, in characters, of a place that the syntax tree counts in bytes.

    Args:
        code: the snippet.
        line: 1-based.
        offset: bytes of UTF-8 before the place.
    """
    lines = [] if code.isascii() else _encoded_lines(code)
    if not 1 <= line <= len(lines):
        return offset + 1
    return len(lines[line - 1][:offset].decode("utf-8", "ignore")) + 1


def bound_names(tree: ast.Module) -> set[str]:
    """Names that running the module may bind at its top level (functions have their own scope)."""
    found: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            found |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
            continue
        found |= binds(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            todo.extend(ast.iter_child_nodes(node))
    return found - {"*"}


def binds(node: ast.AST) -> set[str]:
    """Names that this very node binds or unbinds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case (
            ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
            | ast.MatchMapping(rest=str(name))
        ):
            return {name}
        case ast.ExceptHandler(name=str(name)):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case _:
            return set()
