"""What the source of a snippet says by itself."""

from __future__ import annotations

import ast
import functools
import warnings
from dataclasses import dataclass

__all__ = ["Source", "binds", "bound_names", "read_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """A snippet, read once.

    Attributes:
        code: the text.
        tree: the syntax tree, None where Python cannot parse it.
        bound: names that running it may bind.
        functions: the functions it defines, nested ones too.
        error: line, column and message, where Python cannot parse it.
    """

    code: str
    tree: ast.Module | None
    bound: frozenset[str]
    functions: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]
    error: tuple[int, int, str] | None = None


@functools.lru_cache(maxsize=512)
def read_source(code: str) -> Source:
    """Read a snippet; asked again, the answer is remembered."""
    try:
        tree = _parsed(code)
    except SyntaxError as error:
        return Source(
            code, None, frozenset(), (), (error.lineno or 1, error.offset or 1, error.msg)
        )
    except (ValueError, RecursionError, MemoryError) as error:
        return Source(
            code, None, frozenset(), (), (1, 1, str(error) or "the code is nested too deeply")
        )
    nodes = ast.walk(tree)
    functions = tuple(
        node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    return Source(code, tree, frozenset(bound_names(tree)), functions)


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():  # "\d" in a plain string is the code's business
        warnings.simplefilter("ignore")
        return ast.parse(code)


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
