"""Idioms that the checker accepts and the sandbox does not run, each found with a rewrite.

Covered: unsupported syntax, host calls where the sandbox cannot wait for the host, shadowing of host
functions, names that exist for annotations only, and a few gaps of the library. Not covered: what depends
on values; that ends as a run's error, with a hint from `_hints`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._source import Source, binds, column_of, text_of
from punie_sandbox._syntax import find_syntax, found_at
from punie_sandbox.records import Diagnostic

__all__ = ["find_idioms", "suspending_names"]

_TYPES_WITH_METHODS = {"str", "list", "dict", "set", "bytes", "int", "float", "tuple"}
_CLASS_ATTRIBUTES = {"fromkeys", "__name__", "fromhex", "from_bytes"}
_CALLBACK_BUILTINS = {
    "map",
    "filter",
    "takewhile",
    "dropwhile",
    "filterfalse",
    "starmap",
    "defaultdict",
}
_KEY_BUILTINS = {"sorted", "min", "max", "groupby", "nlargest", "nsmallest"}
_METHODS = {
    name for kind in (str, list, dict, set) for name in dir(kind) if not name.startswith("_")
} | {
    "__getitem__",
    "__contains__",
}
_LET_END = "let the code end; use `if` around what should not run"
_AMBIENT_MODULES = {"datetime", "json", "math", "re"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the rules need to know besides the tree."""

    functions: ExternalFunctions
    suspending: Set[str]
    bound: Set[str]
    local: Mapping[str, Set[int]]
    modules: Set[str]
    methods: Set[str]

    def is_own(self, node: ast.Name) -> bool:
        """Whether a name means what the code made of it, and not what Python does."""
        return node.id in self.bound or id(node) in self.local.get(node.id, ())


def find_idioms(
    source: Source,
    functions: ExternalFunctions,
    suspending: Set[str],
    alive: Set[str] = frozenset(),
) -> list[Diagnostic]:
    """The findings in a snippet, in the order of the text.

    Args:
        source: the snippet.
        functions: what it can call.
        suspending: functions of earlier snippets of the session that call the host.
        alive: all variables of earlier snippets.
    """
    if source.tree is None:
        return []
    calls_host = suspending_names(source, functions, suspending)
    imported = {
        name
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in binds(node)
    }
    kept = (alive & sys.stdlib_module_names) - source.bound  # a module of an earlier snippet
    context = _Context(
        functions,
        calls_host,
        source.bound | alive,
        _local_names(source.tree),
        _AMBIENT_MODULES | imported | kept,
        _own_methods(source.tree),
    )
    found = [*_shadowing(source.tree, functions), *_annotation_names(source.tree, context)]
    for node in ast.walk(source.tree):
        found.extend(find_syntax(node))
        found.extend(_calls(node, context))
    placed = {
        replace(each, column=column_of(source.code, each.line, each.column - 1)) for each in found
    }
    return sorted(placed, key=lambda diagnostic: (diagnostic.line, diagnostic.column))


def suspending_names(source: Source, functions: ExternalFunctions, earlier: Set[str]) -> Set[str]:
    """Names of functions that call the host when they are called: host functions and what calls them."""
    callers: dict[str, set[str]] = {}
    for definition in source.functions:
        for called in _names_called(definition):
            callers.setdefault(called, set()).add(definition.name)
    names = {*functions.names, *earlier}
    new = list(names)
    while new:
        found = callers.get(new.pop(), set()) - names
        names |= found
        new += found
    return names


def _names_called(node: ast.AST) -> set[str]:
    return {
        inner.func.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)
    }


def _local_names(tree: ast.Module) -> Mapping[str, Set[int]]:
    """The places where a name is a parameter or variable of a function or lambda.

    A comprehension's own variable is none of them: to the interpreter, `str` in `[str.upper() for str in x]`
    is the type all the same.
    """
    found: dict[str, set[int]] = {}
    for scope in ast.walk(tree):
        if isinstance(scope, _SCOPES):
            inside = list(ast.walk(scope))
            places = [node for node in inside if isinstance(node, ast.Name)]
            made = {node.arg for node in inside if isinstance(node, ast.arg)}
            made |= {name for node in inside if node is not scope for name in binds(node)}
            made -= {
                name.id
                for node in inside
                if isinstance(node, ast.comprehension)
                for name in ast.walk(node.target)
                if isinstance(name, ast.Name)
            }
            for node in places:
                if node.id in made:
                    found.setdefault(node.id, set()).add(id(node))
    return found


def _own_methods(tree: ast.Module) -> Set[str]:
    """The methods of the snippet's own classes, which are values."""
    return {
        method.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
    }


# -- shadowing ---------------------------------------------------------------------------------


def _shadowing(tree: ast.Module, functions: ExternalFunctions) -> Iterator[Diagnostic]:
    """Bindings of a host function's name at module level, or through `global`."""
    todo: list[tuple[ast.AST, Set[str] | None]] = [(statement, None) for statement in tree.body]
    while todo:
        node, reaching = (
            todo.pop()
        )  # the names whose bindings here reach the module; None means all
        for name in sorted(binds(node)):
            if name in functions and (reaching is None or name in reaching):
                yield _shadows(node, name)
        inside: list[ast.AST] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inside = list(node.body)
        elif isinstance(node, ast.Lambda):
            inside = [node.body]
        elif isinstance(node, ast.comprehension):  # its target is its own; a walrus in it is not
            inside = [node.target]
        own = _globals_of(node) if inside and isinstance(node, ast.stmt) else frozenset()
        todo.extend((child, own) for child in inside)
        places = set(map(id, inside))
        todo.extend((c, reaching) for c in ast.iter_child_nodes(node) if id(c) not in places)


def _globals_of(scope: ast.AST) -> Set[str]:
    """The names that bindings inside a function or class take from the module."""
    return {name for n in ast.walk(scope) if isinstance(n, ast.Global) for name in n.names}


def _shadows(node: ast.AST, name: str) -> Diagnostic:
    message = f"`{name}` is a tool and cannot be given another meaning"
    return found_at(node, "shadows-tool", message, f"choose another name, such as `{name}_result`")


# -- names for annotations ---------------------------------------------------------------------


def _annotation_names(tree: ast.Module, context: _Context) -> Iterator[Diagnostic]:
    """Result types used as values: they exist in annotations only."""
    records = context.functions.records
    annotations = {id(inner) for part in _annotations(tree) for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node.id not in records or context.is_own(node):
            continue
        if id(node) not in annotations:
            fields = ", ".join(
                f".{field.name}" for field in context.functions.records[node.id].fields[:4]
            )
            message = f"`{node.id}` is only a type here; it cannot be created or tested for"
            yield found_at(
                node, "type-only", message, f"use it in annotations; results of tools have {fields}"
            )


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation)
            ):
                yield annotation
            case (
                ast.FunctionDef(returns=ast.expr() as returns)
                | ast.AsyncFunctionDef(returns=ast.expr() as returns)
            ):
                yield returns
            case _:
                continue


# -- calls -------------------------------------------------------------------------------------


def _calls(node: ast.AST, context: _Context) -> Iterator[Diagnostic]:  # noqa: PLR0912, C901 - one a form
    match node:
        case ast.Name(id="exit" | "quit" as name, ctx=ast.Load()) if not context.is_own(node):
            yield found_at(node, "exit", f"`{name}` cannot end the code here", _LET_END)
        case ast.Name(id="exec" | "eval" as name, ctx=ast.Load()) if not context.is_own(node):
            message = f"`{name}` does not run here: code in text cannot be checked"
            yield found_at(
                node, "dynamic-code", message, "write the code itself; `json.loads` reads data"
            )
        case ast.Call(func=ast.Name(id="next"), args=[ast.GeneratorExp() as items, *rest]):
            listed = f"[{text_of(items).removeprefix('(').removesuffix(')')}]"
            default = f", {text_of(rest[0])}" if rest else ""
            hint = f"write `next(iter({listed}){default})`"
            yield found_at(
                node, "next-of-generator", "`next` cannot take a generator expression here", hint
            )
        case ast.Call(func=ast.Attribute(value=value, attr="sub" | "subn"), args=args) if (
            _is_pattern(value)
        ):
            index = 1 if isinstance(value, ast.Name) and value.id == "re" else 0
            if len(args) > index and _is_callable(args[index], context):
                hint = (
                    "loop over `re.finditer(...)` and join the parts, "
                    "or use a replacement string with `\\1`"
                )
                yield found_at(
                    node,
                    "callable-replacement",
                    "`re.sub` takes only a string as replacement here",
                    hint,
                )
        case ast.Call(func=ast.Name(id=name), args=[function, *rest]) if name in _CALLBACK_BUILTINS:
            if _suspends(function, context):
                yield _callback(node, name, _comprehension(name, function, rest))
            yield from _bound_method(function, context, keyed=False)
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name) as called, args=args)):
            if not context.is_own(called):  # a function of the code may take what it likes
                yield from _raising(node, name, args)
        case ast.Attribute(value=ast.Name(id=name) as cls, attr=attribute) if (
            name in _TYPES_WITH_METHODS
        ):
            if attribute not in _CLASS_ATTRIBUTES and not context.is_own(cls):
                hint = f"write `lambda x: x.{attribute}()`"
                if attribute == "maketrans":
                    hint = "use `.replace(...)` for each character"
                yield found_at(
                    node, "unbound-method", f"`{name}.{attribute}` is not a value here", hint
                )
        case _:
            pass
    if isinstance(node, ast.Call):
        yield from _key_callback(node, context)


def _key_callback(node: ast.Call, context: _Context) -> Iterator[Diagnostic]:
    is_sort = isinstance(node.func, ast.Attribute) and node.func.attr == "sort"
    name = node.func.id if isinstance(node.func, ast.Name) else "sort" if is_sort else ""
    if name not in _KEY_BUILTINS and not is_sort:
        return
    for keyword in node.keywords:
        if keyword.arg != "key":
            continue
        yield from _bound_method(keyword.value, context, keyed=True)
        if _suspends(keyword.value, context):
            hint = (
                "call the tool first: `values = {x: tool(x) for x in items}`, "
                "then `key=lambda x: values[x]`"
            )
            yield _callback(node, f"{name}(key=...)", hint)


def _bound_method(function: ast.expr, context: _Context, *, keyed: bool) -> Iterator[Diagnostic]:
    """`key=counts.get`: a built-in object's method can be called, but is no value."""
    match function:
        case ast.Attribute(value=ast.Name(id=name) as cls) if (
            name in _TYPES_WITH_METHODS and not context.is_own(cls)
        ):
            return
        case ast.Attribute(value=ast.Name() | ast.Attribute(), attr=name) if (
            name in context.methods
        ):
            return
        case ast.Attribute(value=value, attr=name) if name in _METHODS and not _is_module(
            value, context
        ):
            text = f"{text_of(value)}.{name}"
            # as a key, what `.get` returns cannot be compared: the checker knows that it may be None
            item = name == "__getitem__" or (name == "get" and keyed)
            call = f"{text_of(value)}[x]" if item else f"{text}(x)"
            hint = f"write `lambda x: {call}`"
            yield found_at(function, "bound-method", f"`{text}` is not a value here", hint)
        case _:
            return


def _is_module(value: ast.expr, context: _Context) -> bool:
    if isinstance(value, ast.Attribute):
        return value.attr == "path" and _is_module(value.value, context)
    return isinstance(value, ast.Name) and value.id in context.modules


def _callback(node: ast.AST, where: str, hint: str) -> Diagnostic:
    return found_at(
        node, "tool-in-callback", f"a tool cannot be called from inside `{where}`", hint
    )


def _comprehension(name: str, function: ast.expr, items: list[ast.expr]) -> str:
    source = text_of(items[0]) if items else "items"
    if isinstance(function, ast.Lambda) and function.args.args:
        item, body = function.args.args[0].arg, text_of(function.body)
    else:
        item, body = "x", f"{text_of(function)}(x)"
    if name == "defaultdict":
        return "use a plain dict, and call the tool where a key is missing"
    if name == "filter":
        return f"write `[{item} for {item} in {source} if {body}]`"
    return f"write `[{body} for {item} in {source}]`"


def _suspends(function: ast.expr, context: _Context) -> bool:
    if isinstance(function, ast.Name):
        return function.id in context.suspending
    return isinstance(function, ast.Lambda) and not context.suspending.isdisjoint(
        _names_called(function)
    )


def _is_pattern(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) or (
        isinstance(value, ast.Call) and text_of(value.func) == "re.compile"
    )


def _is_callable(node: ast.expr, context: _Context) -> bool:
    return isinstance(node, ast.Lambda) or (
        isinstance(node, ast.Name) and node.id in context.suspending
    )


def _raising(node: ast.Raise, name: str, args: list[ast.expr]) -> Iterator[Diagnostic]:
    if name in {"SystemExit", "KeyboardInterrupt"}:
        yield found_at(node, "exit", f"`{name}` cannot end the code here", _LET_END)
        return
    not_text = (
        len(args) == 1 and isinstance(args[0], ast.Constant) and not isinstance(args[0].value, str)
    )
    if len(args) > 1 or not_text:
        parts = " ".join(
            "{" + text_of(arg) + "}" if not isinstance(arg, ast.Constant) else str(arg.value)
            for arg in args
        )
        yield found_at(
            node,
            "exception-arguments",
            "an exception takes one text here",
            f"write `raise {name}(f'{parts}')`",
        )
