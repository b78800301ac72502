"""Renaming by scope: the symbol that is meant, and nothing else of the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set

import libcst as cst
from libcst.metadata import (
    Access,
    Assignment,
    BaseAssignment,
    ClassScope,
    GlobalScope,
    ImportAssignment,
    MetadataWrapper,
    Scope,
    ScopeProvider,
)

from punie_tools._cst_meaning import Rename
from punie_tools._cst_names import (
    definition_name,
    leftmost,
    renamed_annotation,
    strings_that_are_values,
)

__all__ = ["rename_in"]


def rename_in(module: cst.Module, old: str, new: str) -> tuple[str, int]:
    """Return the code with a symbol renamed, and how many places changed.

    A symbol of the module wins over those of functions, and these over those of classes.

    Raises:
        ValueError: The name is defined in several scopes, or the rename would change a meaning.
    """
    wrapper = MetadataWrapper(module)
    scopes = {each for each in wrapper.resolve(ScopeProvider).values() if each is not None}
    owners = _owners(scopes, old)
    if not owners:
        return module.code, 0
    if len(owners) > 1:
        raise ValueError(
            f"{old} is defined in {len(owners)} scopes; rename by hand which is meant."
        )
    scope, assignments = owners[0]
    meant = Rename(wrapper, scopes, scope, assignments, (old, new))
    meant.check()
    changes = _Changes(old, new, strings_that_are_values(wrapper.module))
    changes.add_names(meant.keywords())
    changes.add_uses(meant.uses)
    for assignment in assignments:
        changes.add(assignment)
    if isinstance(scope, GlobalScope):
        changes.add_declarations(wrapper.module)
    code = wrapper.module.visit(changes).code
    return code, changes.count


def _owners(scopes: Iterable[Scope], name: str) -> list[tuple[Scope, list[BaseAssignment]]]:
    """Return the scopes that define a name, only the module's where it does."""
    found: dict[Scope, list[BaseAssignment]] = defaultdict(list)
    for scope in scopes:
        for assignment in scope.assignments:
            if assignment.name == name and assignment.scope is scope:
                found[scope].append(assignment)
    owners = list(found.items())
    whole = [each for each in owners if isinstance(each[0], GlobalScope)]
    inner = [each for each in owners if not isinstance(each[0], ClassScope)]
    return whole or inner or owners


class _Changes(cst.CSTTransformer):
    """Replaces the names that were found to mean the symbol."""

    def __init__(self, old: str, new: str, values: Set[cst.CSTNode]) -> None:
        super().__init__()
        self._old, self._new, self._values = old, new, values
        self._names: set[cst.CSTNode] = set()
        self._entries: set[cst.CSTNode] = set()
        self._imports: set[cst.CSTNode] = set()
        self.count = 0

    def add(self, assignment: BaseAssignment) -> None:
        """Note a definition."""
        if isinstance(assignment, ImportAssignment):
            self._imports.add(assignment.node)
        elif isinstance(assignment, Assignment):
            self._names.add(definition_name(assignment.node))

    def add_uses(self, uses: Iterable[Access]) -> None:
        """Note the uses."""
        self._names |= {leftmost(each.node) for each in uses if each.node not in self._values}

    def add_names(self, names: Iterable[cst.CSTNode]) -> None:
        """Note names that mean the symbol without being a use: keywords of calls."""
        self._names |= set(names)

    def add_declarations(self, module: cst.Module) -> None:
        """Note what names a module's symbol without being a use: `__all__` and `global`."""
        finder = _Declarations(self._old)
        module.visit(finder)
        self._names |= finder.names
        self._entries |= finder.entries

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:  # noqa: N802 - LibCST's name
        """Rename a name that was noted."""
        if original_node not in self._names or original_node.value != self._old:
            return updated_node
        self.count += 1
        return updated_node.with_changes(value=self._new)

    def leave_SimpleString(  # noqa: N802 - LibCST's name
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString:
        """Rename an entry of `__all__`, or in an annotation."""
        if original_node in self._names:
            self.count += 1
            return renamed_annotation(original_node, self._old, self._new)
        if original_node not in self._entries:
            return updated_node
        self.count += 1
        quote = original_node.quote
        return updated_node.with_changes(value=f"{original_node.prefix}{quote}{self._new}{quote}")

    def leave_ImportAlias(  # noqa: N802 - LibCST's name
        self, original_node: cst.ImportAlias, updated_node: cst.ImportAlias
    ) -> cst.ImportAlias:
        """Import under the new name; what is imported keeps its own."""
        alias = original_node.evaluated_alias
        if (alias or original_node.evaluated_name) != self._old:
            return updated_node
        if not any(original_node in _aliases(each) for each in self._imports):
            return updated_node
        self.count += 1
        return updated_node.with_changes(asname=cst.AsName(cst.Name(self._new)))


class _Declarations(cst.CSTVisitor):
    """Finds the strings of `__all__` and the names of `global` statements."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.names: set[cst.CSTNode] = set()
        self.entries: set[cst.CSTNode] = set()

    def visit_Global(self, node: cst.Global) -> None:  # noqa: N802 - LibCST's name
        """Note `global name`."""
        self.names |= {each.name for each in node.names if each.name.value == self._name}

    def visit_Assign(self, node: cst.Assign) -> None:  # noqa: N802 - LibCST's name
        """Note the entries of `__all__ = […]`."""
        self._note([each.target for each in node.targets], node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:  # noqa: N802 - LibCST's name
        """Note the entries of `__all__ += […]`."""
        self._note([node.target], node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:  # noqa: N802 - LibCST's name
        """Note the entries of `__all__: list[str] = […]`."""
        self._note([node.target], node.value)

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802 - LibCST's name
        """Note the entries of `__all__.append(…)`, `__all__.extend([…])` and the like."""
        called = node.func
        if isinstance(called, cst.Attribute) and _is_all(called.value):
            values = [each.value for each in node.args]
            if called.attr.value in {"append", "insert", "remove"}:
                self._add(_spelled(values))
            elif called.attr.value == "extend":
                self._add(each for value in values for each in _strings(value))

    def _note(self, targets: list[cst.BaseExpression], value: cst.BaseExpression | None) -> None:
        if any(_is_all(each) for each in targets):
            self._add(_strings(value))

    def _add(self, strings: Iterable[cst.SimpleString]) -> None:
        self.entries |= {each for each in strings if each.evaluated_value == self._name}


def _is_all(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == "__all__"


def _strings(value: cst.BaseExpression | None) -> Iterator[cst.SimpleString]:
    """Yield the strings in a list, tuple or set, as far as an expression spells them out."""
    if isinstance(value, (cst.List, cst.Set, cst.Tuple)):
        yield from _spelled(each.value for each in value.elements)
    elif isinstance(value, cst.BinaryOperation):
        yield from _strings(value.left)
        yield from _strings(value.right)
    elif isinstance(value, cst.Call) and value.args:
        called = value.func.value if isinstance(value.func, cst.Name) else ""
        if called in {"list", "set", "sorted", "tuple"}:
            yield from _strings(value.args[0].value)


def _spelled(values: Iterable[cst.BaseExpression]) -> Iterator[cst.SimpleString]:
    for each in values:
        if isinstance(each, cst.SimpleString):
            yield each
        else:  # a starred list
            yield from _strings(each)


def _aliases(node: cst.CSTNode) -> list[cst.ImportAlias]:
    if isinstance(node, (cst.Import, cst.ImportFrom)) and not isinstance(
        node.names, cst.ImportStar
    ):
        return list(node.names)
    return []
