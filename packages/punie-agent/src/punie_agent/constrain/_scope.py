"""What names stand for in a program that is being written, as far as that is sure."""

from __future__ import annotations

from collections.abc import Mapping

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._frame import Kinds
from punie_agent.constrain._rules import Rules
from punie_agent.constrain._statement import Statement
from punie_agent.constrain._words import Words

__all__ = ["Scope"]


class Scope(Branching):
    """Names and what they stand for, and the statement that is being written.

    Args:
        rules: the result models.
        seen: names that earlier programs used; their meaning is not known.

    Attributes:
        names: what each name may be; None where that is not known.
        seen: every name used so far.
        statement: the tokens of the current statement.
        loose: names are not followed any more: a `def` gives them meanings of its own.
        lambdas: how many `lambda` wait for their colon.
    """

    __slots__ = ("_rules", "lambdas", "loose", "names", "seen", "statement")

    def __init__(self, rules: Rules, seen: frozenset[str]) -> None:
        self._rules = rules
        self.names: Mapping[str, Kinds] = dict.fromkeys(seen)
        self.seen = seen
        self.statement = Statement()
        self.loose = False
        self.lambdas = 0

    def fields(self, kinds: Kinds) -> Words | None:
        """The attributes of an expression; None where they are not known."""
        if kinds is None or self.loose or any(kind.listed for kind in kinds):
            return None
        known = self._rules.fields
        if len(kinds) == 1:
            return known.get(next(iter(kinds)).model)
        return Words(name for kind in kinds for name in known.get(kind.model, ()))

    def attribute(self, kinds: Kinds, name: str) -> Kinds:
        """What an attribute of an expression may be."""
        if kinds is None or any(kind.listed for kind in kinds):
            return None
        found = {self._rules.models[kind.model].get(name) for kind in kinds}
        known = frozenset(kind for kind in found if kind is not None)
        return known if len(known) == len(found) else None

    def use(self, name: str) -> None:
        """A name occurs."""
        if name not in self.seen:
            self.seen |= {name}

    def forget(self, name: str) -> None:
        """A name gets a meaning that is not followed."""
        self.names = {**self.names, name: None}

    def token(self, token: str) -> None:
        """A token of the statement, outside brackets."""
        self.statement = self.statement.plus(token)

    def end_statement(self, kinds: Kinds, *, inner: bool = False) -> None:
        """The statement is complete.

        Args:
            kinds: what its last expression may be.
            inner: whether the next one, on the same line, stands in a block.
        """
        self.names = self.statement.bound(self.names, kinds)
        self.loose = self.loose or self.statement.binds_unseen
        self.statement = Statement(inner=inner)
        self.lambdas = 0
