"""One open bracket, and what is known about what stands in it."""

from __future__ import annotations

from collections.abc import Mapping

from punie_agent.constrain._branching import Branching
from punie_agent.constrain._literal import Literal
from punie_agent.constrain._rules import Kind, Tool

__all__ = ["CLOSING", "Frame", "Kinds"]

Kinds = frozenset[Kind] | None
"""What an expression may be; None where that is not known."""

CLOSING = {"(": ")", "[": "]", "{": "}", "f": "}"}

_TAKES_NO_GENERATOR = frozenset(
    {"print", "len", "str", "repr", "int", "float", "bool", "abs", "round", "range", "isinstance"}
)


class Frame(Branching):
    """An open bracket; "f" is the replacement field of an f-string.

    Attributes:
        kind: the opening bracket, or "f".
        callee: the name that is called, "" where it is none.
        tool: the tool that is called.
        before: what stands before the bracket, when that is called or subscripted.
        subscript: whether it is a subscript.
        names: what the names stood for before; a comprehension's own end with it.
        literal: the f-string around a replacement field.
        paths: whether the literals in it name paths (`for path in ["…"]`).
        named: the paths that it names so far.
        replaces: whether it holds the arguments of a string's `replace`.
        old: the text that is replaced, "" where it is not known.
        index: how many arguments are complete.
        keyword: the name of the current argument, when it is given by name.
        used: names of arguments given by name.
        starred: an argument with `*` or `**` was given, so nothing is known of the others.
        at_start: at the beginning of an element or of an argument's value.
        rebinds: a comprehension that follows may give names used here another meaning.
        one_value: it is an argument of something that takes no generator, so that is unlikely.
        targets: between `for` and `in` of a comprehension.
        sliced: a colon stands in it.
    """

    __slots__ = (
        "at_start",
        "before",
        "callee",
        "index",
        "keyword",
        "kind",
        "literal",
        "named",
        "names",
        "old",
        "one_value",
        "paths",
        "rebinds",
        "replaces",
        "sliced",
        "starred",
        "subscript",
        "targets",
        "tool",
        "used",
    )

    def __init__(
        self,
        kind: str,
        names: Mapping[str, Kinds],
        *,
        callee: str = "",
        tool: Tool | None = None,
        before: Kinds = None,
        subscript: bool = False,
        literal: Literal | None = None,
        paths: bool = False,
    ) -> None:
        self.kind = kind
        self.names = names
        self.callee = callee
        self.tool = tool
        self.before = before
        self.subscript = subscript
        self.literal = literal
        self.paths = paths
        self.named: frozenset[str] = frozenset()
        self.replaces = False
        self.old = ""
        self.index = 0
        self.keyword: str | None = None
        self.used: frozenset[str] = frozenset()
        self.starred = False
        self.at_start = True
        self.targets = False
        self.sliced = False
        self.rebinds = kind != "f" and not subscript and tool is None
        self.one_value = callee in _TAKES_NO_GENERATOR

    def parameter(self) -> str | None:
        """The tool's parameter that the current argument is for; None where that is not known."""
        if self.tool is None or self.starred:
            return None
        if self.keyword is not None:
            return self.keyword
        names = self.tool.parameters
        return names[self.index] if self.index < len(names) and not self.used else None

    def unused(self) -> tuple[str, ...]:
        """The tool's parameters that have no argument yet."""
        assert self.tool is not None
        rest = self.tool.parameters[self.index - len(self.used) :]
        return tuple(name for name in rest if name not in self.used)

    def element_ends(self) -> None:
        """A comma ends an argument or element."""
        self.index += 1
        self.keyword = None
        self.at_start = True
        self.rebinds = False
