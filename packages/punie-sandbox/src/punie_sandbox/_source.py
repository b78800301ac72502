"""What the source of a snippet says by itself."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

__all__ = ["Source", "bound_names", "parse", "read_source"]


@dataclass(frozen=True, eq=False)
class Source:
    """A snippet, read once.

    Attributes:
        code: the text.
        tree: the syntax tree, None where Python cannot parse it.
        bound: names that running it may bind.
        functions: the functions it defines, nested ones too.
    """

    code: str
    tree: ast.Module | None
    bound: frozenset[str]
    functions: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]


@functools.lru_cache(maxsize=512)
def read_source(code: str) -> Source:
    """Read a snippet; asked again, the answer is remembered."""
    tree = parse(code)
    if tree is None:
        return Source(code, None, frozenset(), ())
    nodes = ast.walk(tree)
    functions = tuple(
        node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    return Source(code, tree, frozenset(bound_names(tree)), functions)


def parse(code: str) -> ast.Module | None:
    """The syntax tree, or None where Python itself cannot parse it."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


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
