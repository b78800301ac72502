"""Patterns over Python's syntax: a kind of node, or code in which `...` stands for anything.

`FunctionDef` finds every function (any LibCST node name works). `print(...)` finds every call of
print, `x == None` that comparison, `foo(..., debug=True)` calls with that argument last. Spaces,
comments, quotes of strings and parentheses do not matter. Not covered: statements as patterns, and
names that must be equal in two places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from punie_tools._cst_depth import check_depth
from punie_tools.results.cst import CstMatch

__all__ = ["find"]

#: What a node carries besides its meaning.
_LAYOUT = (
    cst.BaseParenthesizableWhitespace,
    cst.TrailingWhitespace,
    cst.EmptyLine,
    cst.LeftParen,
    cst.RightParen,
    cst.Comma,
    cst.MaybeSentinel,
)


def find(module: cst.Module, pattern: str) -> list[CstMatch]:
    """Return where a pattern matches, in the order of the file.

    Raises:
        ValueError: The pattern is neither a node name nor an expression.
    """
    wrapper = MetadataWrapper(module)
    finder = _Finder(_matcher(pattern), re.split(r"\r\n?|\n", wrapper.module.code))
    wrapper.visit(finder)
    return sorted(finder.found, key=lambda each: (each.line, each.column))


class _Kind:
    """Matches every node of one class."""

    def __init__(self, kind: type[cst.CSTNode]) -> None:
        self._kind = kind

    def __call__(self, node: cst.CSTNode) -> bool:
        return isinstance(node, self._kind)


class _Like:
    """Matches expressions that mean the same code."""

    def __init__(self, model: cst.BaseExpression) -> None:
        self._model = model

    def __call__(self, node: cst.CSTNode) -> bool:
        return isinstance(node, cst.BaseExpression) and _same(self._model, node)


def _matcher(pattern: str) -> _Kind | _Like:
    kind = getattr(cst, pattern, None) if pattern.isidentifier() else None
    if isinstance(kind, type) and issubclass(kind, cst.CSTNode):
        return _Kind(kind)
    try:
        check_depth(pattern)
        return _Like(cst.parse_expression(pattern.strip()))
    except RecursionError as error:
        raise ValueError("the pattern is nested too deeply to follow.") from error
    except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
        raise ValueError(
            f"{pattern!r} is neither a LibCST node name nor a Python expression."
        ) from error


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, matches: _Kind | _Like, lines: list[str]) -> None:
        super().__init__()
        self._matches, self._lines = matches, lines
        self.found: list[CstMatch] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._matches(node):
            place = self.get_metadata(PositionProvider, node)
            start, end = place.start, place.end
            # Rendered alone, a statement would begin with the comments before it.
            line = self._lines[start.line - 1]
            code = line[start.column : end.column if end.line == start.line else None]
            self.found.append(CstMatch(line=start.line, column=start.column + 1, code=code.strip()))
        return True


def _same(model: object, node: object) -> bool:
    """Return whether two pieces of syntax mean the same, `...` in the model meaning anything."""
    if isinstance(model, cst.Ellipsis) and isinstance(node, cst.BaseExpression):
        return True
    if isinstance(model, cst.SimpleString) and isinstance(node, cst.SimpleString):
        return model.evaluated_value == node.evaluated_value
    if isinstance(model, cst.CSTNode) and isinstance(node, cst.CSTNode):
        return type(model) is type(node) and all(
            _same(getattr(model, name), getattr(node, name))
            for name in model.__dataclass_fields__
            if not name.startswith("_") and not name.startswith("whitespace")
        )
    if isinstance(model, _LAYOUT) or isinstance(node, _LAYOUT):
        return True
    if isinstance(model, Sequence) and not isinstance(model, str):
        return isinstance(node, Sequence) and _same_list(list(model), list(node))
    return model == node


def _same_list(models: list[object], nodes: list[object]) -> bool:
    """Return whether two lists are the same, a bare `...` element meaning any number of them."""
    models = [each for each in models if not isinstance(each, _LAYOUT)]
    nodes = [each for each in nodes if not isinstance(each, _LAYOUT)]
    at = place = 0
    gap, resume = None, 0
    while place < len(nodes):
        if at < len(models) and _is_gap(models[at]):
            gap, resume = at, place
            at += 1
        elif at < len(models) and _same(models[at], nodes[place]):
            at, place = at + 1, place + 1
        elif gap is not None:
            # Only the last gap need take more: what the ones before it could take, it can too.
            resume += 1
            at, place = gap + 1, resume
        else:
            return False
    return all(_is_gap(each) for each in models[at:])


def _is_gap(node: object) -> bool:
    if isinstance(node, cst.Arg):
        return node.keyword is None and not node.star and isinstance(node.value, cst.Ellipsis)
    return isinstance(node, cst.Element) and isinstance(node.value, cst.Ellipsis)
