"""Faults that are made by rule from modules without any: more of them than anybody wants to write.

Each is one small mistake in one line that somebody could make, and that can be mended by who sees the line
and what the type checker says of it: a misspelt attribute, a number in quotes, a return annotation that is
not what is returned. A mistake after which the right text could only be guessed (a value that is gone) is
not among them. As in mutation testing (DeMillo, Lipton and Sayward, 1978) nothing is known yet of what a
mistake does; `punie_train.data.findings` asks the type checker, and keeps those with exactly one finding.

Covered: expressions and annotations within one line that stands once in its module. Not covered: statements
that are left out or in the wrong place.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import zip_longest
from random import Random

from punie_train.data.sources import Module

__all__ = ["mutated"]

_OTHER_TYPES = {
    "str": ("int", "list[str]", "bool"),
    "int": ("str", "float | None", "list[int]"),
    "float": ("str", "int", "list[float]"),
    "bool": ("str", "int"),
    "None": ("str", "int"),
}
_OTHER_OUTER = {"list": "set", "set": "list", "tuple": "list", "dict": "list"}
_CONVERTED = {
    "str": ("[{}]", "({},)"),
    "list": ("tuple({})", "len({})", "set({})"),
    "dict": ("list({})", "len({})"),
    "set": ("list({})", "len({})"),
}
_CONVERSIONS = ("len", "str", "int", "float", "sorted", "list", "set", "tuple", "sum", "bool")
_ELSEWHERE = {
    "append": "push",
    "endswith": "ends_with",
    "items": "entries",
    "lower": "to_lower",
    "startswith": "starts_with",
    "strip": "trim",
    "upper": "to_upper",
}
"""What methods of Python are called where people come from."""

_Mistake = tuple[ast.expr | ast.keyword, str]
"""What is replaced, and by what; `{}` in it stands for the text that is there."""
_Kind = Callable[[ast.Module, Random], Iterator[_Mistake]]


def mutated(module: Module, most: int) -> list[tuple[str, str]]:
    """Return (right, wrong) lines, each of which makes one mistake in a module; the same ones each time.

    Args:
        module: it may have faults that were written by hand; these are not made again.
        most: how many at most; of each kind as many as of any other, while there are some.
    """
    tree, lines = ast.parse(module.source), module.source.splitlines()
    rng = Random(module.stems[0])  # noqa: S311 - chance chooses examples
    kinds = []
    for kind in _KINDS:
        made = (_in_its_line(lines, *mistake) for mistake in kind(tree, rng))
        found = list(dict.fromkeys(pair for pair in made if pair is not None))
        kinds.append(rng.sample(found, len(found)))
    in_turn = [pair for pairs in zip_longest(*kinds) for pair in pairs if pair is not None]
    return [pair for pair in dict.fromkeys(in_turn) if pair not in module.breaks][:most]


def _in_its_line(
    lines: list[str], node: ast.expr | ast.keyword, text: str
) -> tuple[str, str] | None:
    """Return the node's line, and that line with other text for the node; None where it cannot be told."""
    if node.end_lineno != node.lineno or node.end_col_offset is None:
        return None
    whole = lines[node.lineno - 1]
    line = whole.encode()
    old = line[node.col_offset : node.end_col_offset].decode()
    new = text.replace("{}", old).encode()
    changed = line[: node.col_offset] + new + line[node.end_col_offset :]
    right, wrong = whole.strip(), changed.decode().strip()
    stands = sum(right in each for each in lines)
    return (right, wrong) if stands == 1 and right != wrong else None


def _misspelt(name: str, rng: Random) -> str:
    """Return a name with a letter left out, doubled, or changed for its neighbour."""
    place = rng.randrange(1, len(name) - 1)
    swapped = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    return rng.choice((name[:place] + name[place + 1 :], name[: place + 1] + name[place:], swapped))


def _attributes(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """An attribute that is misspelt."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and len(node.attr) > 3:
            yield node, f"{ast.unparse(node.value)}.{_misspelt(node.attr, rng)}"


def _methods(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A method that is called so in another language."""
    del rng
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _ELSEWHERE:
            yield node, f"{ast.unparse(node.value)}.{_ELSEWHERE[node.attr]}"


def _names(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A parameter that is misspelt where it is used."""
    parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in parameters and len(node.id) > 4:
            yield node, _misspelt(node.id, rng)


def _keywords(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """The name of an argument that is misspelt."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg and len(node.arg) > 3:
            yield node, f"{_misspelt(node.arg, rng)}={ast.unparse(node.value)}"


def _quotes(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A number that is passed in quotes, and the other way round."""
    del rng
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        for node in (*call.args, *(keyword.value for keyword in call.keywords)):
            for constant in _constants(node):
                if isinstance(constant.value, str) and constant.value.isdecimal():
                    yield constant, str(int(constant.value))
                elif type(constant.value) in {int, float}:
                    yield constant, '"{}"'


def _constants(node: ast.expr) -> Iterator[ast.Constant]:
    """Yield a constant, or those in a list, tuple or dictionary."""
    inner = [node]
    if isinstance(node, ast.List | ast.Tuple):
        inner = node.elts
    elif isinstance(node, ast.Dict):
        inner = node.values
    yield from (each for each in inner if isinstance(each, ast.Constant))


def _brackets(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A tuple for a list, and the other way round; what stands in the brackets of a type is neither."""
    del rng
    subscripts = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    inside = {inner for outer in subscripts for inner in ast.walk(outer)}
    for node in ast.walk(tree):
        if node in inside:
            continue
        if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
            inner = ", ".join(map(ast.unparse, node.elts))
            if len(node.elts) > 1:
                yield node, f"({inner})" if isinstance(node, ast.List) else f"[{inner}]"


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yield each function that says what it returns, and what it says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node, ast.unparse(node.returns)


def _return_annotations(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A function that returns something else than it says."""
    for function, kind in _functions(tree):
        assert function.returns is not None
        outer = kind.partition("[")[0]
        if kind.endswith(" | None"):
            yield function.returns, kind.removesuffix(" | None")
        elif outer in _OTHER_OUTER and outer != kind:
            yield function.returns, rng.choice((_OTHER_OUTER[outer], outer)) + kind[len(outer) :]
        else:
            yield function.returns, rng.choice(_OTHER_TYPES.get(kind, ("str", "list[{}]")))


def _returned_values(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A value that is converted, or put in a list, where it should be returned as it is."""
    for function, kind in _functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                wrong = _CONVERTED.get(kind.partition("[")[0], ("str({})", "[{}]"))
                yield node.value, rng.choice(wrong)


def _conversions(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A conversion that is forgotten."""
    del rng
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            name, value = ast.unparse(node.func), node.args[0]
            if name in _CONVERSIONS and not isinstance(value, ast.GeneratorExp | ast.Starred):
                yield node, ast.unparse(value)


def _optional_parameters(tree: ast.Module, rng: Random) -> Iterator[_Mistake]:
    """A parameter that may be None, and is not annotated so."""
    del rng
    for node in ast.walk(tree):
        kind = ast.unparse(node.annotation) if isinstance(node, ast.arg) and node.annotation else ""
        if kind.endswith(" | None"):
            assert isinstance(node, ast.arg)
            assert node.annotation is not None
            yield node.annotation, kind.removesuffix(" | None")


_KINDS: tuple[_Kind, ...] = (
    _return_annotations,
    _attributes,
    _quotes,
    _returned_values,
    _conversions,
    _optional_parameters,
    _brackets,
    _methods,
    _keywords,
    _names,
)
