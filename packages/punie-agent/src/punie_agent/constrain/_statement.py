"""The statement that is being written, as far as it is needed to know what names stand for after it."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, replace

from punie_agent.constrain._frame import Kinds
from punie_agent.constrain._rules import Kind

__all__ = ["Statement"]

_COMPOUND = frozenset(
    (
        "if",
        "elif",
        "else",
        "for",
        "while",
        "try",
        "except",
        "finally",
        "with",
        "match",
        "case",
        "async",
    )
)
_BINDS_ANYTHING = frozenset(
    (
        "with",
        "except",
        "import",
        "from",
        "del",
        "global",
        "nonlocal",
        "match",
        "case",
        "type",
        "async",
    )
)
_IN = 2


@dataclass(frozen=True, slots=True)
class Statement:
    """Tokens of one statement outside its brackets.

    A name is itself, an attribute begins with a dot, a call or subscript is its opening bracket.

    Attributes:
        tokens: those so far.
        inner: whether it stands in a block, so that it may not be run.
    """

    tokens: tuple[str, ...] = ()
    inner: bool = False

    def at(self, inner: bool) -> Statement:
        """The same, inside a block or not."""
        return replace(self, inner=self.inner or inner)

    def plus(self, token: str) -> Statement:
        """The statement with one more token."""
        return replace(self, tokens=(*self.tokens, token))

    def compared(self) -> Statement:
        """The last token was the first half of `==`, `<=`, `>=` or `!=`."""
        return replace(self, tokens=(*self.tokens[:-1], "compare"))

    @property
    def is_header(self) -> bool:
        """True when a colon ends it and begins a block."""
        return bool(self.tokens) and self.tokens[0] in _COMPOUND

    @property
    def loops_by(self) -> str:
        """The variable of `for … in`, when that is what was written so far."""
        return self.tokens[1] if len(self.tokens) == 3 and self._loops() else ""

    def bound(self, names: Mapping[str, Kinds], kinds: Kinds) -> Mapping[str, Kinds]:
        """What names stand for after it.

        Args:
            names: what they stood for before.
            kinds: what its last expression may be.
        """
        tokens = self.tokens
        if not tokens:
            return names
        if self._loops() and _is_chain(tokens[_IN + 1 :]):
            listed = kinds is not None and all(kind.listed for kind in kinds)
            elements = frozenset(Kind(kind.model) for kind in kinds or ()) if listed else None
            return self._bind(names, tokens[1], elements, maybe=True)
        if tokens[1:2] == ("=",) and _is_name(tokens[0]) and _is_chain(tokens[2:]):
            return self._bind(names, tokens[0], kinds, maybe=self.inner)
        forgotten = [token for token in self._targets() if _is_name(token)]
        return {**names, **dict.fromkeys(forgotten)} if forgotten else names

    @property
    def binds_unseen(self) -> bool:
        """True when names in brackets may be given a meaning: `(a, b) = …`, `case [a, b]:`."""
        return self.tokens[:1] == ("case",) or "group" in self._targets()

    def _loops(self) -> bool:
        tokens = self.tokens
        return len(tokens) > _IN and tokens[0] == "for" and tokens[_IN] == "in"

    def _bind(
        self, names: Mapping[str, Kinds], name: str, kinds: Kinds, *, maybe: bool
    ) -> Mapping[str, Kinds]:
        if maybe and name in names:
            before = names[name]
            kinds = None if before is None or kinds is None else before | kinds
        return {**names, name: kinds}

    def _targets(self) -> tuple[str, ...]:
        """Where names get a meaning in it; too much rather than too little."""
        tokens = self.tokens
        if not tokens or tokens[0] in _BINDS_ANYTHING:
            return tokens
        if tokens[0] == "for":
            end = tokens.index("in") if "in" in tokens else len(tokens)
        elif "=" in tokens:
            end = len(tokens) - tokens[::-1].index("=")
        else:
            return ()
        return tokens[:end]


def _is_name(token: str) -> bool:
    return token.isidentifier() and not keyword.iskeyword(token)


def _is_chain(tokens: tuple[str, ...]) -> bool:
    """True for a name with attributes, calls and subscripts and nothing else: `typecheck(…).errors`."""
    return bool(tokens) and _is_name(tokens[0]) and all(each[0] in ".([" for each in tokens[1:])
