"""Syntax and names that the interpreter does not have, each with what to write instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from punie_sandbox._missing import MISSING_MODULES, instead_of
from punie_sandbox._source import text_of
from punie_sandbox.records import Diagnostic

__all__ = ["find_syntax", "found_at"]

_ORDER = "sort with `key=`, and compare the attributes themselves"
_PLAIN_METHOD = "write a plain method and call it by its name"
_DUNDERS = {
    **dict.fromkeys(["__lt__", "__le__", "__gt__", "__ge__"], _ORDER),
    **dict.fromkeys(["__len__", "__getattr__", "__format__", "__reversed__"], _PLAIN_METHOD),
    **dict.fromkeys(["__bool__", "__new__", "__setattr__", "__getattribute__"], _PLAIN_METHOD),
    "__ne__": "write `__eq__`; `!=` is its opposite",
    **dict.fromkeys(["__iadd__", "__isub__", "__imul__", "__ior__"], _PLAIN_METHOD),
}
_NO_CALLBACK_METHODS = {"property", "staticmethod", "classmethod", "cached_property"}


def found_at(node: ast.AST, code: str, message: str, hint: str | None) -> Diagnostic:
    """A finding at a node; its column is in bytes yet, which the tree counts."""
    return Diagnostic(
        getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, code, message, hint
    )


def find_syntax(node: ast.AST) -> Iterator[Diagnostic]:  # noqa: PLR0912, C901 - one rule per form
    """The findings about one node by itself."""
    code = "unsupported-syntax"
    match node:
        case ast.ClassDef(name=name, bases=bases, keywords=keywords) if bases or keywords:
            base = text_of(bases[0]) if bases else "metaclass"
            yield found_at(
                node, code, "classes cannot inherit here", _instead_of_inheriting(name, base)
            )
        case ast.Yield() | ast.YieldFrom():
            hint = "build a list: `items = []`, `items.append(...)`, and `return items`"
            yield found_at(node, code, "generators (`yield`) do not run here", hint)
        case ast.Delete(targets=[target, *_]):
            yield found_at(node, code, "`del` does not run here", _instead_of_del(target))
        case ast.AsyncWith():
            yield found_at(
                node, code, "`async with` does not run here", "use a plain call, or `with`"
            )
        case ast.AsyncFor() | ast.comprehension(is_async=1):
            place = node if isinstance(node, ast.AsyncFor) else node.target
            yield found_at(place, code, "`async for` does not run here", "use a plain `for`")
        case ast.TryStar():
            yield found_at(node, code, "`except*` does not run here", "use `except`")
        case ast.ImportFrom(module="__future__"):
            yield found_at(
                node,
                code,
                "`__future__` imports do not exist here",
                "remove this line; annotations need no import",
            )
        case ast.ImportFrom(module=str(module), names=[ast.alias(name="*")]):
            message = "`import *` does not run here"
            yield found_at(
                node, code, message, f"name what is imported: `from {module} import ...`"
            )
        case ast.ImportFrom(module=str(module), names=names, level=0):
            if module != "collections.abc":
                yield from _missing_module(node, module)
            for alias in names:
                yield from _missing(node, module, alias.name)
        case ast.Import(names=names):
            for alias in names:
                yield from _missing_module(node, alias.name)
        case ast.Attribute(attr="glob" | "rglob" as name):  # they would find nothing, silently
            message = f"`.{name}` finds nothing here: there are no files"
            yield found_at(
                node, "no-files", message, "list files with the tools; `fnmatch` compares names"
            )
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            yield from _missing(node, module, name)
        case ast.ClassDef(body=body):
            yield from _dunders(body)
        case ast.FunctionDef(decorator_list=decorators):
            for decorator in decorators:
                if isinstance(decorator, ast.Name) and decorator.id in _NO_CALLBACK_METHODS:
                    hint = "write a plain method and call it, or a function outside the class"
                    yield found_at(decorator, code, f"`@{decorator.id}` does not run here", hint)
        case _ if type(node).__name__ == "TypeAlias":
            yield found_at(node, code, "`type` aliases do not run here", "write `Name = ...`")
        case _:
            return


def _missing_module(node: ast.AST, module: str) -> Iterator[Diagnostic]:
    if module in MISSING_MODULES:
        message, hint = f"`{module}` does not exist here", MISSING_MODULES[module]
        yield found_at(node, "missing-name", message, hint)


def _missing(node: ast.AST, module: str, name: str) -> Iterator[Diagnostic]:
    hint = instead_of(module, name)
    if hint is not None:
        yield found_at(node, "missing-name", f"`{module}.{name}` does not exist here", hint)


def _dunders(body: list[ast.stmt]) -> Iterator[Diagnostic]:
    for method in body:
        if isinstance(method, ast.FunctionDef) and method.name in _DUNDERS:
            message = f"`{method.name}` is never called here"
            yield found_at(method, "unsupported-method", message, _DUNDERS[method.name])


def _instead_of_inheriting(name: str, base: str) -> str:
    if base.endswith(("Exception", "Error")):
        return f"raise a built-in exception instead of {name}, such as `raise RuntimeError(f'...')`"
    if base in {"Enum", "StrEnum", "IntEnum", "enum.Enum"}:
        return "use string constants or a dict"
    if base in {"NamedTuple", "typing.NamedTuple", "TypedDict", "typing.TypedDict", "BaseModel"}:
        return f"write `@dataclass` above `class {name}:`"
    return f"write `class {name}:` with all its methods, or functions"


def _instead_of_del(target: ast.expr) -> str:
    match target:
        case ast.Subscript(value=value, slice=ast.Slice() as part):
            return f"write `{text_of(value)}[{text_of(part)}] = []`"
        case ast.Subscript(value=value, slice=key):
            return f"write `{text_of(value)}.pop({text_of(key)})`"
        case _:
            return f"write `{text_of(target)} = None`, or leave it out"
