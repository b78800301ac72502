"""How the provided modules get into a session, into the checker, and into a snippet's imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from importlib import resources

from punie_sandbox._source import Source

__all__ = [
    "PROVIDED",
    "importing_code",
    "loading_code",
    "provided_in",
    "rewrites_imports",
    "stubs_of",
    "with_provided_imports",
]

PROVIDED = frozenset(
    {"contextlib", "difflib", "fnmatch", "heapq", "operator", "statistics", "string", "textwrap"}
)
_PREFIX = "punie_module_"
_ABC = "collections.abc"
_REWRITTEN = PROVIDED | {_ABC}


@functools.cache
def _source(name: str) -> str:
    return (
        resources.files("punie_sandbox._modules")
        .joinpath(f"{name}_.py")
        .read_text(encoding="utf-8")
    )


@functools.cache
def _public(name: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.parse(_source(name)).body:
        match node:
            case ast.FunctionDef(name=public) | ast.ClassDef(name=public):
                found.append(public)
            case (
                ast.Assign(targets=[ast.Name(id=public)])
                | ast.AnnAssign(target=ast.Name(id=public))
            ):
                found.append(public)
            case _:
                continue
    return tuple(public for public in found if not public.startswith("_"))


@functools.cache
def loading_code(name: str) -> str:
    """Code that binds the module to a name of its own in a session."""
    tree = ast.parse(_source(name))
    body = [
        node
        for node in tree.body
        if not isinstance(node, ast.ImportFrom) or node.module != "__future__"
    ]
    text = ast.unparse(ast.Module([_without_doc(node) for node in body[1:]], []))
    inner = "\n".join(f"    {line}" for line in text.splitlines())
    exports = "\n".join(f"    module.{public} = {public}" for public in _public(name))
    return (
        f"def {_PREFIX}load_{name}():\n"
        "    class Module:\n"
        "        def __repr__(self):\n"
        f"            return \"<module '{name}'>\"\n"
        f"{inner}\n"
        "    module = Module()\n"
        f"{exports}\n"
        "    return module\n"
        f"{_PREFIX}{name} = {_PREFIX}load_{name}()\n"
    )


def importing_code(names: Iterable[str]) -> str:
    """Imports of provided modules under the names that `loading_code` gives them, for the checker."""
    return "".join(f"import {name} as {_PREFIX}{name}\n" for name in sorted(names))


def _without_doc(node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        if (
            isinstance(inner, (ast.FunctionDef, ast.ClassDef))
            and ast.get_docstring(inner) is not None
        ):
            inner.body = inner.body[1:] or [ast.Pass()]
    return node


@functools.cache
def stubs_of(name: str) -> str:
    """The module's stub for the checker, from its own annotations."""
    lines = ["from typing import Any, Callable, Iterable, Iterator, Sequence"]
    for node in ast.parse(_source(name)).body:
        match node:
            case ast.FunctionDef(name=public) if not public.startswith("_"):
                lines.append(_signature(node, ""))
            case ast.ClassDef(name=public) if not public.startswith("_"):
                lines.append(f"class {public}:")
                lines += [
                    _signature(m, "    ") for m in node.body if isinstance(m, ast.FunctionDef)
                ]
            case ast.AnnAssign(target=ast.Name(id=public), annotation=annotation) if (
                not public.startswith("_")
            ):
                lines.append(f"{public}: {ast.unparse(annotation)}")
            case _:
                continue
    return "\n".join(lines) + "\n"


def _signature(node: ast.FunctionDef, indent: str) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{indent}def {node.name}({ast.unparse(node.args)}){returns}: ..."


def provided_in(source: Source) -> frozenset[str]:
    """The provided modules that a snippet imports."""
    return source.imports & PROVIDED


def rewrites_imports(source: Source) -> bool:
    """Whether `with_provided_imports` changes the snippet."""
    return not source.imports.isdisjoint(_REWRITTEN)


def with_provided_imports(code: str, tree: ast.Module) -> str:
    """The snippet with imports of provided modules replaced by assignments; every line keeps its number."""
    lines = code.encode().splitlines(keepends=True)
    for node in sorted(_imports(tree), key=lambda n: (n.lineno, n.col_offset), reverse=True):
        assert node.end_lineno is not None
        first, last = node.lineno - 1, node.end_lineno - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        joins = b"\\\n" * (last - first)
        if joins:
            joins, after = b" " + joins, after or b"\n"  # a continued line needs an end
        replaced = before + _assignments(node).encode() + joins + after
        lines[first : last + 1] = replaced.splitlines(keepends=True)
    return b"".join(lines).decode()


def _imports(tree: ast.Module) -> Iterable[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and PROVIDED.intersection(a.name for a in node.names):
            yield node
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in _REWRITTEN:
            yield node


def _assignments(node: ast.Import | ast.ImportFrom) -> str:
    if isinstance(node, ast.ImportFrom) and node.module == _ABC:
        return ast.unparse(ast.ImportFrom("typing", node.names, 0))
    if isinstance(node, ast.Import):
        return "; ".join(
            f"{alias.asname or alias.name} = {_PREFIX}{alias.name}"
            if alias.name in PROVIDED
            else ast.unparse(ast.Import([alias]))
            for alias in node.names
        )
    assert node.module is not None
    pairs = [(alias.name, alias.asname or alias.name) for alias in node.names]
    return "; ".join(f"{bound} = {_PREFIX}{node.module}.{public}" for public, bound in pairs)
