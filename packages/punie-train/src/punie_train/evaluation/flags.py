"""Red flags: the ways of failing that the checklist names, and which tool was taken for which.

Covered: never calling `typecheck` where it was needed, running a type checker as a command, treating a
typed result as text, and the tool a turn began with. Not covered: the verdict (`scoring`).
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from punie_train.evaluation.calls import runs_type_checker
from punie_train.evaluation.turn import Turn

if TYPE_CHECKING:
    from punie_train.evaluation.suite import Query

NEVER_TYPECHECKS = "never calls typecheck"
TYPE_CHECKER_AS_COMMAND = "runs a type checker as a command"
RESULT_AS_TEXT = "treats a result as a string"
UNKNOWN_FIELD = "reads a field that does not exist"
LOOPS = "does not come to an end"

TEXT_METHODS = frozenset(
    {
        "splitlines",
        "split",
        "strip",
        "lower",
        "upper",
        "find",
        "startswith",
        "endswith",
        "replace",
        "join",
    }
)
_TYPED = frozenset({"typecheck", "ruff_check", "pytest_run", "git_status", "git_diff", "git_log"})


def red_flags(query: Query, turn: Turn) -> list[str]:
    """Return the names of the red flags that a turn shows."""
    flags = []
    needs = any(pattern.tool == "typecheck" for step in query.steps for pattern in step.any)
    if needs and not any(call.tool == "typecheck" for call in turn.calls):
        flags.append(NEVER_TYPECHECKS)
    if any(runs_type_checker(call) for call in turn.calls):
        flags.append(TYPE_CHECKER_AS_COMMAND)
    if any(treats_result_as_text(run.code) for run in turn.runs):
        flags.append(RESULT_AS_TEXT)
    if any("has no attribute" in problem for run in turn.runs for problem in run.problems):
        flags.append(UNKNOWN_FIELD)
    if turn.stop_reason in {"max_turn_requests", "max_tokens"}:
        flags.append(LOOPS)
    return flags


def treats_result_as_text(code: str) -> bool:
    """Tell whether a program uses the result of a typed tool as if it were text or a dict."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    results = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_typed_call(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def typed(node: ast.expr) -> bool:
        return _is_typed_call(node) or (isinstance(node, ast.Name) and node.id in results)

    return any(_textual(node, typed) for node in ast.walk(tree))


def _textual(node: ast.AST, typed: _Typed) -> bool:
    match node:
        case ast.Attribute(value=value, attr=name):
            return name in TEXT_METHODS and typed(value)
        case ast.Subscript(value=value):
            return typed(value)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[value]):
            return typed(value)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="json" | "re")), args=arguments):
            return any(typed(argument) for argument in arguments)
        case _:
            return False


def _is_typed_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TYPED


def expected_tool(query: Query) -> str:
    """Return the tool a query begins with, or "direct"."""
    return "direct" if query.answer == "direct" else query.steps[0].any[0].tool


def chosen_tool(turn: Turn) -> str:
    """Return the tool a turn began with; "direct" without code, "no tool" when its code called none."""
    if turn.calls:
        return turn.calls[0].tool
    return "no tool" if turn.runs else "direct"


if TYPE_CHECKING:
    from collections.abc import Callable

    _Typed = Callable[[ast.expr], bool]
