"""What a rename must not change: who else means the new name, and who passes the old one.

LibCST knows whose a name is, for the syntax it follows. Where a rename could change what a program
means, or where LibCST cannot tell, the rename is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NoReturn

import libcst as cst
from libcst.metadata import (
    Assignment,
    BaseAssignment,
    BuiltinAssignment,
    ClassScope,
    ComprehensionScope,
    FunctionScope,
    GlobalScope,
    ImportAssignment,
    MetadataWrapper,
    PositionProvider,
    Scope,
)

from punie_tools._cst_names import leftmost
from punie_tools._cst_uses import accesses_of, referents, spelled, uses_of

__all__ = ["Rename"]


class Rename:
    """One symbol that is to get another name.

    Attributes:
        owner: The scope that defines it.
        assignments: Its definitions.
        uses: Where it is read.
    """

    def __init__(
        self,
        wrapper: MetadataWrapper,
        scopes: Collection[Scope],
        owner: Scope,
        assignments: Sequence[BaseAssignment],
        names: tuple[str, str],
    ) -> None:
        """Note what is to be renamed; `names` are the old and the new name."""
        self._wrapper, self._scopes = wrapper, scopes
        self.owner, self.assignments = owner, assignments
        self.uses = uses_of(assignments, scopes)
        self._old, self._new = names

    def check(self) -> None:
        """Raise `ValueError` where the rename would change what some name means."""
        old, new = self._old, self._new
        if any(each.name == new for each in self.owner.assignments):
            raise ValueError(f"{new} is already defined there.")
        self._wrapper.module.visit(_Unfollowed(self))
        self._check_mangling()
        for access in self.uses:
            if isinstance(access.node, cst.ConcatenatedString):
                self.refuse(access.node, f"an annotation in several strings names {old}")
            for scope in _passed(access.scope, self.owner) or []:
                if any(each.name == new for each in scope.assignments):
                    self.refuse(access.node, f"{new} is something else where {old} is used")
        for scope in self._scopes:
            passed = _passed(scope, self.owner)
            if passed is None:
                continue
            for access in accesses_of(scope, new):
                if not _stays(referents(access, new), passed):
                    self.refuse(access.node, f"{new} is read, and would be what {old} is")

    def _check_mangling(self) -> None:
        """Refuse a private name in a class, where Python puts the class's name before it."""
        private = next((each for each in (self._new, self._old) if _is_private(each)), None)
        if private is None:
            return
        places = [(each.scope, getattr(each, "node", None)) for each in self.assignments]
        places += [(each.scope, each.node) for each in self.uses]
        for scope, node in places:
            if node is not None and _in_class(scope):
                self.refuse(node, f"{private} means another name in a class")

    def keywords(self) -> set[cst.CSTNode]:
        """Return the keywords of calls that surely pass a renamed parameter.

        Raises:
            ValueError: A call may pass it, or pass something else by the new name.
        """
        function = getattr(self.owner, "node", None)
        parameters = [
            each.node
            for each in self.assignments
            if isinstance(each, Assignment) and isinstance(each.node, cst.Param)
        ]
        if not isinstance(function, (cst.FunctionDef, cst.Lambda)) or not any(
            each in (*function.params.params, *function.params.kwonly_params) for each in parameters
        ):
            return set()
        calls = _Calls()
        self._wrapper.module.visit(calls)
        callee = _Callee(function, self._scopes, calls)
        wanted = {self._old} if function.params.star_kwarg is None else {self._old, self._new}
        found: set[cst.CSTNode] = set()
        for call in calls.calls:
            given = {each.keyword.value: each.keyword for each in call.args if each.keyword}
            if not wanted & given.keys() or callee.cannot_be(call):
                continue
            if self._new in given or not callee.must_be(call):
                passed = self._old if self._old in given else self._new
                self.refuse(call, f"{passed} is passed by keyword, perhaps to this parameter")
            found.add(given[self._old])
        return found

    def declares(self, name: str, kind: type[cst.CSTNode]) -> bool:
        """Return whether a `global` or `nonlocal` statement of a name stands in the way."""
        mine = isinstance(self.owner, GlobalScope)
        return name == self._new or (name == self._old and kind is cst.Nonlocal and not mine)

    def concerns(self, node: cst.CSTNode | None) -> bool:
        """Return whether a node is spelled as the old or the new name."""
        return isinstance(node, cst.Name) and node.value in {self._old, self._new}

    def in_comprehension(self, node: cst.CSTNode) -> bool:
        """Return whether LibCST takes a name for a comprehension's own."""
        return any(
            isinstance(each, Assignment) and each.node is node
            for scope in self._scopes
            if isinstance(scope, ComprehensionScope)
            for each in scope.assignments
        )

    def refuse(self, node: cst.CSTNode, reason: str) -> NoReturn:
        """Raise `ValueError` with a reason and its line."""
        place = self._wrapper.resolve(PositionProvider).get(node)
        where = "" if place is None else f"line {place.start.line}: "
        raise ValueError(f"{where}{reason}; rename by hand.")


def _is_private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")


def _in_class(scope: Scope) -> bool:
    while not isinstance(scope, ClassScope):
        if scope.parent is scope:
            return False
        scope = scope.parent
    return True


def _passed(scope: Scope, owner: Scope) -> list[Scope] | None:
    """Return the scopes that a name is looked up in before `owner`; None where it never gets there."""
    passed: list[Scope] = []
    in_function = False
    while scope is not owner:
        if scope.parent is scope:
            return None
        # A class's names are not seen from the functions in it.
        if not (in_function and isinstance(scope, ClassScope)):
            passed.append(scope)
        in_function = in_function or isinstance(scope, FunctionScope)
        scope = scope.parent
    return None if in_function and isinstance(owner, ClassScope) else passed


def _stays(referents: Collection[BaseAssignment], passed: Sequence[Scope]) -> bool:
    """Return whether a name that is read means something nearer, whatever `owner` defines.

    In a class's body a name may mean what is around it, until the class itself defines it.
    """
    return bool(referents) and all(
        each.scope in passed and not isinstance(each.scope, ClassScope) for each in referents
    )


class _Unfollowed(cst.CSTVisitor):
    """Refuses syntax in which LibCST does not see whose a name is."""

    def __init__(self, rename: Rename) -> None:
        super().__init__()
        self._rename = rename

    def _refuse(self, node: cst.CSTNode, where: str) -> NoReturn:
        self._rename.refuse(node, f"names {where} are not followed")

    def visit_MatchAs(self, node: cst.MatchAs) -> None:  # noqa: N802 - LibCST's name
        """Refuse `case name`."""
        if self._rename.concerns(node.name):
            self._refuse(node, "bound by `case`")

    def visit_MatchStar(self, node: cst.MatchStar) -> None:  # noqa: N802 - LibCST's name
        """Refuse `case [*name]`."""
        if self._rename.concerns(node.name):
            self._refuse(node, "bound by `case`")

    def visit_MatchMapping(self, node: cst.MatchMapping) -> None:  # noqa: N802 - LibCST's name
        """Refuse `case {**name}`."""
        if self._rename.concerns(node.rest):
            self._refuse(node, "bound by `case`")

    def visit_MatchClass(self, node: cst.MatchClass) -> None:  # noqa: N802 - LibCST's name
        """Refuse `case name(…)`."""
        if self._rename.concerns(leftmost(node.cls)):
            self._refuse(node, "in `case`")

    def visit_MatchValue(self, node: cst.MatchValue) -> None:  # noqa: N802 - LibCST's name
        """Refuse `case name.other`."""
        if self._rename.concerns(leftmost(node.value)):
            self._refuse(node, "in `case`")

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:  # noqa: N802 - LibCST's name
        """Refuse `name := …` in a comprehension, which binds outside of it."""
        if self._rename.concerns(node.target) and self._rename.in_comprehension(node.target):
            self._refuse(node, "bound by `:=` in a comprehension")

    def visit_Import(self, node: cst.Import) -> None:  # noqa: N802 - LibCST's name
        """Refuse `import name.other`, which no alias can give another name."""
        for each in node.names:
            dotted = each.asname is None and isinstance(each.name, cst.Attribute)
            if dotted and self._rename.concerns(leftmost(each.name)):
                self._refuse(node, "bound by a dotted import")

    def visit_Global(self, node: cst.Global) -> None:  # noqa: N802 - LibCST's name
        """Refuse `global` of the new name."""
        self._declared(node)

    def visit_Nonlocal(self, node: cst.Nonlocal) -> None:  # noqa: N802 - LibCST's name
        """Refuse `nonlocal` of either name."""
        self._declared(node)

    def _declared(self, node: cst.Global | cst.Nonlocal) -> None:
        if any(self._rename.declares(each.name.value, type(node)) for each in node.names):
            self._refuse(node, "in `global` and `nonlocal`")


class _Calls(cst.CSTVisitor):
    """Finds the calls of a module, and the attributes that are not called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[cst.Call] = []
        self.called: set[cst.CSTNode] = set()
        self.attributes: list[cst.Attribute] = []

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802 - LibCST's name
        """Note a call, before what it calls."""
        self.calls.append(node)
        self.called.add(node.func)

    def visit_Attribute(self, node: cst.Attribute) -> None:  # noqa: N802 - LibCST's name
        """Note an attribute."""
        if node not in self.called:
            self.attributes.append(node)


class _Callee:
    """The function whose parameter gets another name, as calls see it."""

    def __init__(
        self, function: cst.FunctionDef | cst.Lambda, scopes: Collection[Scope], calls: _Calls
    ) -> None:
        named = isinstance(function, cst.FunctionDef)
        self._name = function.name.value if named else ""
        every = [each for scope in scopes for each in scope.assignments]
        mine = [each for each in every if isinstance(each, Assignment) and each.node is function]
        self._function = function
        self._referents = {
            access.node: referents(access, spelled(access.node) or "")
            for scope in scopes
            for access in scope.accesses
        }
        self._mine = set(mine)
        self._method = any(isinstance(each.scope, ClassScope) for each in mine)
        self._special = self._method and self._name.startswith("__")
        alone = [each for each in every if any(each.scope is one.scope for one in mine)]
        # Decorated or defined twice, the name may stand for something with other parameters.
        self._sure = (
            named
            and not function.decorators
            and not self._method
            and sum(each.name == self._name for each in alone) == 1
        )
        self._uses = {each.node for each in uses_of(mine, scopes)}
        self._uses |= {each for each in calls.attributes if self._is_method(each)}
        # Under another name (a variable, a registry) it may be called from anywhere.
        self._escapes = not named or bool(self._uses - calls.called)

    def _is_method(self, node: cst.CSTNode) -> bool:
        return self._method and isinstance(node, cst.Attribute) and node.attr.value == self._name

    def must_be(self, call: cst.Call) -> bool:
        """Return whether a call surely is one of the function."""
        return self._sure and set(self._referents.get(call.func, ())) == self._mine

    def cannot_be(self, call: cst.Call) -> bool:
        """Return whether a call surely is of something else, and does not hand the function on."""
        if any(each.value in self._uses for each in call.args):
            return False
        called = call.func
        hidden = self._escapes or self._special
        if isinstance(called, cst.Name):
            referents = set(self._referents.get(called, ()))
            known = bool(referents) and all(self._other(each) for each in referents)
            return known or not (hidden or self._method or referents & self._mine)
        if isinstance(called, cst.Attribute):
            root = self._referents.get(leftmost(called), ())
            imported = bool(root) and all(isinstance(each, ImportAssignment) for each in root)
            return called.attr.value != self._name and (imported or not hidden)
        return not (hidden or self._method)

    def _other(self, assignment: BaseAssignment) -> bool:
        if isinstance(assignment, (BuiltinAssignment, ImportAssignment)):
            return True
        node = assignment.node if isinstance(assignment, Assignment) else None
        if isinstance(node, cst.ClassDef):
            return not self._method
        return isinstance(node, cst.FunctionDef) and node is not self._function
