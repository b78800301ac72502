"""Which uses of a name mean a definition.

LibCST goes by the order of the text. Loops do not keep it, and what a function assigns anywhere is its
own everywhere in it: there LibCST takes a name that is read before an assignment for another's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import libcst as cst
from libcst.metadata import Access, BaseAssignment, ClassScope, GlobalScope, Scope

from punie_tools._cst_names import leftmost

__all__ = ["accesses_of", "referents", "spelled", "uses_of"]


def uses_of(assignments: Collection[BaseAssignment], scopes: Iterable[Scope]) -> set[Access]:
    """Return the uses of a symbol, given all its definitions."""
    mine = set(assignments)
    return {
        access
        for scope in scopes
        for name in {each.name for each in mine}
        for access in accesses_of(scope, name)
        if mine.intersection(referents(access, name))
    }


def accesses_of(scope: Scope, name: str) -> Iterator[Access]:
    """Yield where a name is read in a scope, in string annotations and before dots too."""
    yield from (each for each in scope.accesses if spelled(each.node) == name)
    yield from scope.accesses[name]


def referents(access: Access, name: str) -> Collection[BaseAssignment]:
    """Return the definitions that a name which is read may stand for."""
    # In a class and a module, what is not assigned yet is looked up further out, and only there.
    if isinstance(access.scope, (ClassScope, GlobalScope)) and access.referents:
        return access.referents
    return access.scope[name]


def spelled(node: cst.CSTNode) -> str | None:
    """Return the name that an expression begins with."""
    name = leftmost(node)
    return name.value if isinstance(name, cst.Name) else None
