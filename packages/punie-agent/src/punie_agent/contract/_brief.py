"""One-line signatures, rendered from the stubs: what a small trained model is shown.

`typecheck(path) -> TypeCheckResult(success, errors[TypeCheckError(file, line)])`: parameters with
their defaults, then the returned model with its fields, list elements in brackets. Types are left
out. The evidence a result carries about its own run (`run: ToolRun`) is left out too: it is for
people who debug, and a model spends its tokens better elsewhere.
"""

from __future__ import annotations

import ast

__all__ = ["brief_signatures", "function_names"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_HIDDEN_TYPES = frozenset({"ToolRun"})


def function_names(stubs: str) -> tuple[str, ...]:
    """The names of the functions that the stubs declare, in their order."""
    return tuple(node.name for node in ast.parse(stubs).body if isinstance(node, _FUNCTIONS))


def brief_signatures(stubs: str) -> str:
    """The stubs' functions, one line each, in their order."""
    module = ast.parse(stubs)
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    return "\n".join(
        _signature(node, classes) for node in module.body if isinstance(node, _FUNCTIONS)
    )


def _signature(
    node: ast.FunctionDef | ast.AsyncFunctionDef, classes: dict[str, ast.ClassDef]
) -> str:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [
        *zip(positional, [*padding, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    parameters = ", ".join(
        argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}"
        for argument, default in pairs
    )
    returned = "None" if node.returns is None else _shape(node.returns, classes, ())
    return f"{node.name}({parameters}) -> {returned}"


def _shape(annotation: ast.expr, classes: dict[str, ast.ClassDef], outer: tuple[str, ...]) -> str:
    """A type with its fields written out; a class inside itself stays a bare name."""
    name = _class_in(annotation, classes)
    if name is None:
        return ast.unparse(annotation)
    if name in outer:
        return name
    fields = ", ".join(
        _field(statement, classes, (*outer, name))
        for statement in classes[name].body
        if isinstance(statement, ast.AnnAssign) and not _is_hidden(statement)
    )
    return f"{name}({fields})" if fields else name


def _field(
    statement: ast.AnnAssign, classes: dict[str, ast.ClassDef], outer: tuple[str, ...]
) -> str:
    name = ast.unparse(statement.target)
    inner = _class_in(statement.annotation, classes)
    if inner is None:
        return name
    shape = _shape(statement.annotation, classes, outer)
    return f"{name}[{shape}]" if _is_sequence(statement.annotation) else f"{name}: {shape}"


def _is_hidden(statement: ast.AnnAssign) -> bool:
    names = {node.id for node in ast.walk(statement.annotation) if isinstance(node, ast.Name)}
    return bool(names & _HIDDEN_TYPES)


def _class_in(annotation: ast.expr, classes: dict[str, ast.ClassDef]) -> str | None:
    """The first declared class that the annotation mentions."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id in classes:
            return node.id
    return None


def _is_sequence(annotation: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"list", "tuple", "Sequence", "set", "frozenset"}
        for node in ast.walk(annotation)
    )
