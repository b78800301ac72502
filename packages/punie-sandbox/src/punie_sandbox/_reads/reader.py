"""Static reading of attribute access on typed results: `fields_read`.

Covered: assignment and unpacking, loops, comprehensions, conditional expressions, f-strings, `match`,
dictionaries and lists built on the way, helper functions and lambdas of the snippet, the usual built-ins
(`sorted`, `min`, `zip`, `enumerate`, `map`, …) and their `key=`. Not covered: attributes of the snippet's
own classes, `exec`, and what reaches a value only through an untyped parameter that nobody calls. The
answer can therefore miss a read; a field that is answered is read by some line of the code, run or not.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox._reads.calls import METHODS, builtin_call
from punie_sandbox._reads.shapes import (
    UNKNOWN,
    Dict,
    Function,
    List,
    Module,
    Record,
    Shape,
    Tuple,
    items_of,
    join,
    parse_stub,
)
from punie_sandbox._source import read_source

__all__ = ["Reader", "fields_read"]

_PASSES = 8
_CALL_DEPTH = 12
_CALLS = 2000


def fields_read(
    code: str, functions: ExternalFunctions, *, earlier: Sequence[str] = ()
) -> set[str]:
    """The fields of results that the code reads, such as `{"TypeCheckResult.errors", "TypeCheckError.line"}`.

    Args:
        code: a snippet; one that does not parse reads nothing.
        functions: what it can call; their result types say what there is to read.
        earlier: snippets run before in the same session, for the variables they left.
    """
    reader = Reader(functions)
    for snippet in earlier:
        reader.read(snippet)
    reader.reads.clear()
    reader.read(code)
    return set(reader.reads)


class Reader:
    """Follows shapes through a syntax tree, over and over until nothing new is learned."""

    def __init__(self, functions: ExternalFunctions) -> None:
        names = functions.records
        self.fields: Mapping[str, Mapping[str, Shape]] = {
            name: {field.name: parse_stub(field.type.stub, names) for field in record.fields}
            for name, record in functions.records.items()
        }
        self.returns = {
            function.name: parse_stub(function.returns.stub, names) for function in functions
        }
        self.scopes: list[dict[str, Shape]] = [{}]
        self.reads: set[str] = set()
        self.returned: list[list[Shape]] = []
        self.calling: list[ast.AST] = []
        self.calls_left = _CALLS

    def read(self, code: str) -> None:
        """Learn from one snippet; of one that is nested too deeply, what comes before that."""
        tree = read_source(code).tree
        if tree is None:
            return
        try:
            self._read(tree.body)
        except RecursionError:
            del self.scopes[1:]
            self.returned.clear()
            self.calling.clear()

    def _read(self, body: Sequence[ast.stmt]) -> None:
        for _ in range(_PASSES):
            before = (len(self.reads), dict(self.scopes[0]))
            self.calls_left = _CALLS
            self.block(body)
            if before == (len(self.reads), self.scopes[0]):
                return

    # -- statements ------------------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Read statements in order."""
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:  # noqa: PLR0912, C901 - one rule per form
        """Read one statement and what it contains."""
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self.bind_name(name, frozenset({Function(name, node)}))
                self.call_definition(node, [], {})
            case ast.ClassDef(body=body):
                self.scopes.append({})
                self.block(body)
                self.scopes.pop()
            case ast.Return(value=value):
                shape = self.shape(value)
                if self.returned:
                    self.returned[-1].append(shape)
            case ast.Assign(targets=targets, value=value):
                shape = self.shape(value)
                for target in targets:
                    self.bind(target, shape)
            case ast.AnnAssign(target=target, value=value):
                self.bind(target, self.shape(value))
            case ast.AugAssign(target=target, value=value):
                self.bind(target, self.shape(value))
            case ast.For(target=target, iter=source, body=body, orelse=rest):
                self.bind(target, items_of(self.shape(source)))
                self.block([*body, *rest])
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    self.bind_name(alias.asname or alias.name, frozenset({Module(alias.name)}))
            case ast.Match(subject=subject, cases=cases):
                shape = self.shape(subject)
                for case in cases:
                    self.pattern(case.pattern, shape)
                    self.shape(case.guard)
                    self.block(case.body)
            case _:
                self.children(node)

    def children(self, node: ast.AST) -> None:
        """Read the parts of a node that has no rule of its own."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self.statement(child)
            elif isinstance(child, ast.expr):
                self.shape(child)
            elif isinstance(child, ast.withitem):
                shape = self.shape(child.context_expr)
                if child.optional_vars is not None:
                    self.bind(child.optional_vars, shape)
            else:
                self.children(child)

    def pattern(self, node: ast.pattern, shape: Shape) -> None:
        """Read what a `case` pattern looks at, and bind what it captures."""
        match node:
            case ast.MatchClass(kwd_attrs=names, kwd_patterns=patterns):
                for name, inner in zip(names, patterns, strict=True):
                    self.pattern(inner, self.attribute(shape, name))
            case ast.MatchAs(pattern=inner, name=name):
                if inner is not None:
                    self.pattern(inner, shape)
                if name is not None:
                    self.bind_name(name, shape)
            case ast.MatchSequence(patterns=patterns):
                for inner in patterns:
                    self.pattern(inner, items_of(shape))
            case ast.MatchOr(patterns=patterns):
                for inner in patterns:
                    self.pattern(inner, shape)
            case _:
                return

    # -- names -----------------------------------------------------------------------------------------

    def bind_name(self, name: str, shape: Shape) -> None:
        """Remember one more thing that a name can be."""
        scope = self.scopes[-1]
        scope[name] = join([scope.get(name, UNKNOWN), shape])

    def bind(self, target: ast.expr, shape: Shape) -> None:
        """Assign a shape to a target of any form."""
        match target:
            case ast.Name(id=name):
                self.bind_name(name, shape)
            case ast.Starred(value=value):
                self.bind(value, frozenset({List(shape)}))
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for index, part in enumerate(targets):
                    self.bind(part, _position(shape, index))
            case ast.Subscript(value=ast.Name(id=name), slice=key):
                self.grow(name, frozenset({Dict(self.shape(key), shape), List(shape)}))
            case ast.Subscript(value=value, slice=key):
                self.shape(value)
                self.shape(key)
            case _:
                self.shape(target)

    def grow(self, name: str, shape: Shape) -> None:
        """A container held by a name got one more item: only the form it already has grows."""
        for scope in reversed(self.scopes):
            if name in scope:
                forms = {type(kind) for kind in scope[name]} or {Dict, List}
                scope[name] = join(
                    [scope[name], frozenset(kind for kind in shape if type(kind) in forms)]
                )
                return

    def lookup(self, name: str) -> Shape:
        """What a name can be here."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return frozenset({Function(name)})

    # -- expressions -----------------------------------------------------------------------------------

    def shape(self, node: ast.expr | None) -> Shape:  # noqa: PLR0911, PLR0912, C901 - one rule per form
        """The shape of an expression; attribute reads in it are noted."""
        match node:
            case None:
                return UNKNOWN
            case ast.Name(id=name):
                return self.lookup(name)
            case ast.Attribute(value=value, attr=name):
                return self.attribute(self.shape(value), name)
            case ast.Call():
                return self.call(node)
            case ast.Await(value=value):
                return self.shape(value)
            case ast.NamedExpr(target=target, value=value):
                shape = self.shape(value)
                self.bind(target, shape)
                return shape
            case ast.IfExp(test=test, body=body, orelse=rest):
                self.shape(test)
                return join([self.shape(body), self.shape(rest)])
            case ast.BoolOp(values=values):
                return join([self.shape(value) for value in values])
            case ast.BinOp(left=left, right=right):
                return join([self.shape(left), self.shape(right)])
            case ast.List(elts=items) | ast.Set(elts=items):
                return frozenset({List(join([self.element(item) for item in items]))})
            case ast.Tuple(elts=items):
                return frozenset({Tuple(tuple(self.element(item) for item in items))})
            case ast.Dict(keys=keys, values=values):
                return self.dictionary(keys, values)
            case ast.ListComp(elt=item) | ast.SetComp(elt=item) | ast.GeneratorExp(elt=item):
                self.generators(node.generators)
                shape = frozenset({List(self.shape(item))})
                self.scopes.pop()
                return shape
            case ast.DictComp(key=key, value=value):
                self.generators(node.generators)
                shape = frozenset({Dict(self.shape(key), self.shape(value))})
                self.scopes.pop()
                return shape
            case ast.Subscript(value=value, slice=key):
                return self.subscript(self.shape(value), key)
            case ast.Lambda():
                return frozenset({Function("<lambda>", node)})
            case _:
                self.children(node)
                return UNKNOWN

    def element(self, node: ast.expr) -> Shape:
        """An item of a display; a starred one stands for its items."""
        if isinstance(node, ast.Starred):
            return items_of(self.shape(node.value))
        return self.shape(node)

    def dictionary(self, keys: Sequence[ast.expr | None], values: Sequence[ast.expr]) -> Shape:
        """A dictionary display, with `**other` parts."""
        own = [self.shape(v) for k, v in zip(keys, values, strict=True) if k is not None]
        spread = [self.shape(v) for k, v in zip(keys, values, strict=True) if k is None]
        return join(
            [frozenset({Dict(join([self.shape(k) for k in keys if k]), join(own))}), *spread]
        )

    def generators(self, generators: Sequence[ast.comprehension]) -> None:
        """Open a scope with the loop variables of a comprehension; the caller closes it."""
        self.scopes.append({})
        for generator in generators:
            self.bind(generator.target, items_of(self.shape(generator.iter)))
            for condition in generator.ifs:
                self.shape(condition)

    def attribute(self, shape: Shape, name: str) -> Shape:
        """Read an attribute: of a record it is noted."""
        found: list[Shape] = []
        for kind in shape:
            if isinstance(kind, Record) and name in self.fields[kind.name]:
                self.reads.add(f"{kind.name}.{name}")
                found.append(self.fields[kind.name][name])
            elif isinstance(kind, (Module, Function)) and kind.name not in self.returns:
                found.append(frozenset({Function(name)}))
        return join(found)

    def subscript(self, shape: Shape, key: ast.expr) -> Shape:
        """`value[key]` and slices."""
        self.shape(key)
        if isinstance(key, ast.Slice):
            return shape
        found: list[Shape] = []
        for kind in shape:
            if isinstance(kind, List):
                found.append(kind.item)
            elif isinstance(kind, Dict):
                found.append(kind.value)
            elif isinstance(kind, Tuple):
                index = key.value if isinstance(key, ast.Constant) else None
                found.append(
                    _position(frozenset({kind}), index)
                    if isinstance(index, int)
                    else join(kind.items)
                )
        return join(found)

    # -- calls -----------------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Shape:
        """A call of anything."""
        args = [self.element(arg) for arg in node.args]
        named = {keyword.arg or "**": self.shape(keyword.value) for keyword in node.keywords}
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                return join([self.attribute(args[0], name), *args[2:]])
        if isinstance(node.func, ast.Attribute):
            method = self.method(node, node.func, args)
            if method is not None:
                return method
        return self.apply(self.shape(node.func), args, named)

    def method(self, node: ast.Call, function: ast.Attribute, args: list[Shape]) -> Shape | None:
        """A method of a list or dictionary, or None if the receiver is neither."""
        receiver = self.shape(function.value)
        rule = METHODS.get(function.attr)
        if rule is None or not any(isinstance(kind, (List, Dict, Tuple)) for kind in receiver):
            return None
        if function.attr == "sort":
            for keyword in node.keywords:
                self.apply(self.shape(keyword.value), [items_of(receiver)], {})
        result, grown = rule(receiver, args)
        if grown:
            target = function.value
            if isinstance(target, ast.Name):
                self.grow(target.id, grown)
            elif isinstance(target, ast.Subscript):
                self.bind(target, grown)
            elif isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
                inner = target.func.value  # groups.setdefault(key, []).append(item)
                if isinstance(inner, ast.Name):
                    self.grow(inner.id, frozenset({Dict(UNKNOWN, grown)}))
        return result

    def apply(self, function: Shape, args: list[Shape], named: Mapping[str, Shape]) -> Shape:
        """Call whatever a shape can be."""
        found: list[Shape] = []
        for kind in function:
            if isinstance(kind, Module):
                kind = Function(kind.name)  # noqa: PLW2901 - `from collections import Counter`
            if not isinstance(kind, Function):
                continue
            if kind.node is not None:
                found.append(self.call_definition(kind.node, args, named))
            elif kind.name in self.returns:
                found.append(self.returns[kind.name])
            else:
                found.append(builtin_call(self, kind.name, args, named))
        return join(found)

    def call_definition(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        args: Sequence[Shape],
        named: Mapping[str, Shape],
    ) -> Shape:
        """A call of the snippet's own function: its body is read with these arguments."""
        if node in self.calling or len(self.calling) > _CALL_DEPTH or not self.calls_left:
            return UNKNOWN
        self.calls_left -= 1  # functions that call each other twice would be read 2 ** depth times
        scope: dict[str, Shape] = {}
        parameters = [*node.args.posonlyargs, *node.args.args]
        for parameter, shape in zip(parameters, args, strict=False):
            scope[parameter.arg] = shape
        for parameter in [*parameters, *node.args.kwonlyargs]:
            scope.setdefault(
                parameter.arg, named.get(parameter.arg, self.annotated(parameter.annotation))
            )
        if node.args.vararg:
            scope[node.args.vararg.arg] = frozenset({List(join(args[len(parameters) :]))})
        self.calling.append(node)
        self.scopes.append(scope)
        self.returned.append([])
        if isinstance(node, ast.Lambda):
            self.returned[-1].append(self.shape(node.body))
        else:
            self.block(node.body)
        self.scopes.pop()
        self.calling.pop()
        return join(self.returned.pop())

    def annotated(self, annotation: ast.expr | None) -> Shape:
        """The shape an annotation promises."""
        if annotation is None:
            return UNKNOWN
        text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
        try:
            return parse_stub(str(text), self.fields)
        except SyntaxError:
            return UNKNOWN


def _position(shape: Shape, index: int) -> Shape:
    found: list[Shape] = []
    for kind in shape:
        if isinstance(kind, Tuple) and -len(kind.items) <= index < len(kind.items):
            found.append(kind.items[index])
        elif not isinstance(kind, Tuple):
            found.append(items_of(frozenset({kind})))
    return join(found)
