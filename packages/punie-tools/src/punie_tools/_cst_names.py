"""The names in LibCST's nodes: of definitions, of dotted expressions, in string annotations."""

from __future__ import annotations

from collections.abc import Set

import libcst as cst
from libcst import matchers as m

__all__ = ["definition_name", "leftmost", "renamed_annotation", "strings_that_are_values"]

_NAMED = (
    *(cst.FunctionDef, cst.ClassDef, cst.Param),
    *(cst.TypeAlias, cst.TypeVar, cst.TypeVarTuple, cst.ParamSpec),
)


def definition_name(node: cst.CSTNode) -> cst.CSTNode:
    """Return the name a definition gives."""
    return node.name if isinstance(node, _NAMED) else node


def leftmost(node: cst.CSTNode) -> cst.CSTNode:
    """Return the name that an expression such as `a.b.c` begins with."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node


def renamed_annotation(node: cst.SimpleString, old: str, new: str) -> cst.SimpleString:
    """Return a string that is an annotation, with a name in it renamed.

    Raises:
        ValueError: The string is not simply what Python reads in it.
    """
    said = node.raw_value
    if node.evaluated_value != said:
        raise ValueError(f"the annotation {node.value} names {old}; rename by hand.")
    try:
        renamed = cst.parse_expression(said).visit(_Names(old, new))
    except cst.ParserSyntaxError as error:
        raise ValueError(f"the annotation {node.value} is not Python.") from error
    code = cst.Module([]).code_for_node(renamed) if isinstance(renamed, cst.CSTNode) else said
    return node.with_changes(value=f"{node.prefix}{node.quote}{code}{node.quote}")


def strings_that_are_values(module: cst.Module) -> Set[cst.CSTNode]:
    """Return the strings in annotations that stand for themselves, which LibCST takes for code.

    It knows those of `Literal[…]`, but not of `typing.Literal[…]`, nor what `Annotated[…]` adds to a type.
    """
    finder = _Values()
    module.visit(finder)
    return finder.found


class _Values(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[cst.CSTNode] = set()

    def visit_Subscript(self, node: cst.Subscript) -> None:  # noqa: N802 - LibCST's name
        """Note the strings that no type checker reads as code."""
        named = node.value.attr if isinstance(node.value, cst.Attribute) else node.value
        name = named.value if isinstance(named, cst.Name) else ""
        types = {"Literal": 0, "Annotated": 1}.get(name)
        for each in [] if types is None else node.slice[types:]:
            self.found |= set(m.findall(each, m.SimpleString()))


class _Names(cst.CSTTransformer):
    """Renames the names of an expression, not its attributes."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self._old, self._new = old, new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:  # noqa: N802 - LibCST's name
        """Rename a name."""
        same = original_node.value == self._old
        return updated_node.with_changes(value=self._new) if same else updated_node

    def leave_Attribute(  # noqa: N802 - LibCST's name
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        """Give what stands behind the dot its name back."""
        return updated_node.with_changes(attr=original_node.attr)
