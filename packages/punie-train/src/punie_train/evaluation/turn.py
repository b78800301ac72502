"""A finished turn as the scorer sees it: plain values, whatever ran it.

Covered: the values, and taking them from what the agent loop returns. Not covered: judging them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class CallMade:
    """One call of a tool.

    Attributes:
        tool: name of the tool.
        arguments: by parameter name, as JSON values.
        result: what came back, as a JSON value; None when the call failed.
        error: why it failed, or was not allowed; None when it worked.
    """

    tool: str
    arguments: Mapping[str, Any]
    result: Any = None
    error: str | None = None


@dataclass(frozen=True)
class Run:
    """One program the model wrote and what came out of it.

    Attributes:
        code: the program.
        status: the sandbox's name of the outcome; "ok" when it ran to its end.
        stdout: what it printed.
        value: its last expression as text; empty when there is none.
        calls: the calls it made, in order.
        problems: diagnostics and errors, for people to read.
    """

    code: str
    status: str = "ok"
    stdout: str = ""
    value: str = ""
    calls: tuple[CallMade, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Everything the run showed: what it printed, then the value of its last expression."""
        return "\n".join(text for text in (self.stdout, self.value) if text)


@dataclass(frozen=True)
class Turn:
    """From the question to the final answer.

    Attributes:
        final_text: the prose at the end.
        runs: the programs, in order.
        stop_reason: "end_turn" when the model ended the turn by itself.
        problem: why the turn could not be run at all; empty normally.
        seconds: wall-clock time.
        output_tokens: tokens the model wrote.
    """

    final_text: str = ""
    runs: tuple[Run, ...] = ()
    stop_reason: str = "end_turn"
    problem: str = ""
    seconds: float = 0.0
    output_tokens: int = 0
    messages: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def calls(self) -> tuple[CallMade, ...]:
        """Every call of the turn, in order."""
        return tuple(call for run in self.runs for call in run.calls)

    @property
    def shown(self) -> str:
        """Everything all runs showed."""
        return "\n".join(run.shown for run in self.runs if run.shown)

    @property
    def last_shown(self) -> str:
        """What the last run that showed anything showed."""
        return next((run.shown for run in reversed(self.runs) if run.shown.strip()), "")


def fields_read(code: str) -> frozenset[str]:
    """Return the names of the attributes a program reads: `result.errors`, `getattr(r, "errors")`, patterns.

    Code that is not Python reads nothing.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                names.add(name)
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(str(name)), *_]
            ):
                names.add(name)
            case ast.MatchClass(kwd_attrs=attributes):
                names.update(attributes)
            case ast.Call(
                func=ast.Name(id="attrgetter") | ast.Attribute(attr="attrgetter"), args=arguments
            ):
                names.update(
                    part
                    for item in arguments
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                    for part in item.value.split(".")
                )
            case _:
                pass
    return frozenset(names)
