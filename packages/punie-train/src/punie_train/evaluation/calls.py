"""Calls: whether what a model called is what was asked for.

Paths are compared as paths, commands as the words a shell would see. Calls that only look (reading tools,
`grep`, `ls` and their kin) may be made beside the ones that are needed; calls with effects may not.

Covered: matching calls against patterns, and judging the rest. Not covered: what was printed.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any

from punie_train.evaluation.suite import Argument, CallPattern, Step
from punie_train.evaluation.turn import CallMade

PATH_PARAMETERS = frozenset({"path", "file_path", "cwd"})

READING_TOOLS = frozenset(
    {
        "typecheck",
        "ruff_check",
        "read_file",
        "pytest_run",
        "git_status",
        "git_diff",
        "git_log",
        "goto_definition",
        "find_references",
        "hover",
        "document_symbols",
        "workspace_symbols",
        "cst_find_pattern",
    }
)

_LOOKING = re.compile(
    r"^(?:ls|cat|head|tail|wc|tree|pwd|sort|uniq|grep|rg|awk(?!.*>)|sed -n|stat|file|du|"
    r"git (?:status|log|diff|show|ls-files|grep)|find(?!.*-(?:delete|exec|execdir|ok|fprint)))(?: |$)"
)
_TYPE_CHECKERS = re.compile(
    r"(?:^|[ /])(?:ty|mypy|pyright|basedpyright|pytype|pyre)(?: |$)|"
    r"^(?:uvx|uv run|python3?) .*\b(?:ty|mypy)\b"
)
EXTRA_CALLS = 8
"""How many calls beyond the needed ones are still a sensible way of working."""


def command_line(call: CallMade) -> str:
    """Return the command line of a `run_command` call, its words joined by single spaces."""
    arguments = call.arguments
    command = str(arguments.get("command") or "")
    rest = arguments.get("args") or []
    try:
        first = shlex.split(command)
    except ValueError:
        first = command.split()
    more = [str(item) for item in rest] if isinstance(rest, list | tuple) else [str(rest)]
    return " ".join(first + more)


def runs_type_checker(call: CallMade) -> bool:
    """Tell whether a call runs a type checker as a command, which is what `typecheck` is for."""
    return call.tool == "run_command" and bool(_TYPE_CHECKERS.search(command_line(call)))


def only_looks(call: CallMade, reading_tools: Collection[str] = READING_TOOLS) -> bool:
    """Tell whether a call changes nothing.

    Args:
        call: the call.
        reading_tools: names of the tools that change nothing.
    """
    if call.tool == "run_command":
        line = command_line(call)
        return bool(_LOOKING.match(line)) and ">" not in line and ";" not in line
    return call.tool in reading_tools


def normal_path(path: str, root: str = "") -> str:
    """Return a path relative to the workspace, without `./`, `..` and end slashes; "." is the workspace."""
    text = path.strip().replace("\\", "/")
    if root and (text == root or text.startswith(root.rstrip("/") + "/")):
        text = text[len(root.rstrip("/")) :].lstrip("/")
    return posixpath.normpath(text or ".")


def matches(pattern: CallPattern, call: CallMade, root: str = "") -> bool:
    """Tell whether a call is the one that a pattern describes."""
    if call.tool != pattern.tool:
        return False
    if pattern.command is not None and not re.search(pattern.command, command_line(call)):
        return False
    return all(
        name in call.arguments and _suits(name, wanted, call.arguments[name], root)
        for name, wanted in pattern.args.items()
    )


def _suits(name: str, wanted: Argument | str | float, given: Any, root: str) -> bool:
    if not isinstance(wanted, Argument):
        if name in PATH_PARAMETERS and isinstance(wanted, str):
            wanted = Argument(path=wanted)
        else:
            return given == wanted and type(given) is type(wanted)
    if wanted.path is not None:
        return isinstance(given, str) and normal_path(given, root) == normal_path(wanted.path)
    if wanted.covers is not None:
        return isinstance(given, str) and _covers(
            normal_path(given, root), normal_path(wanted.covers)
        )
    if wanted.regex is not None:
        return isinstance(given, str) and re.search(wanted.regex, given) is not None
    return given == wanted.equals


def _covers(folder: str, path: str) -> bool:
    return folder in {".", path} or path.startswith(folder + "/")


def missing_steps(
    steps: Sequence[Step], calls: Sequence[CallMade], *, in_order: bool, root: str = ""
) -> list[Step]:
    """Return the steps that no successful call makes; with `in_order`, each after the one before."""
    worked = [call for call in calls if call.error is None]
    missing: list[Step] = []
    position = 0
    used: set[int] = set()
    for step in steps:
        start = position if in_order else 0
        index = next(
            (
                place
                for place in range(start, len(worked))
                if place not in used
                and any(matches(pattern, worked[place], root) for pattern in step.any)
            ),
            None,
        )
        if index is None:
            missing.append(step)
            continue
        used.add(index)
        position = index + 1
    return missing


def unwanted_calls(
    steps: Sequence[Step],
    allow: Sequence[CallPattern],
    forbid: Sequence[CallPattern],
    calls: Sequence[CallMade],
    root: str = "",
    reading_tools: Collection[str] = READING_TOOLS,
) -> list[CallMade]:
    """Return the calls nobody asked for: forbidden ones, and ones with effects that are not expected."""
    expected = [pattern for step in steps for pattern in step.any] + list(allow)
    return [
        call
        for call in calls
        if any(matches(pattern, call, root) for pattern in forbid)
        or runs_type_checker(call)
        or not (
            only_looks(call, reading_tools)
            or any(matches(pattern, call, root) for pattern in expected)
        )
    ]


def describe(call: CallMade) -> str:
    """Return a call as a line of Python, long arguments cut."""
    arguments = ", ".join(f"{name}={_short(value)}" for name, value in call.arguments.items())
    return f"{call.tool}({arguments})"


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
