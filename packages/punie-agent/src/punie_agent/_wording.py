"""A call in words: what a person reads before a yes, and what "always" then means.

Nothing is left out in silence: what a title cuts or a command line does not hold, `rest_of` tells in full.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from punie_agent._visible import one_line, visible

if TYPE_CHECKING:
    from punie_agent.events import Effect
    from punie_sandbox import Call

__all__ = [
    "command_line",
    "path_of",
    "rest_of",
    "rule_of",
    "text_of",
    "title_of_call",
    "unified_diff",
]

_VERBS = {
    "write_file": "Write",
    "read_file": "Read",
    "typecheck": "Check types in",
    "ruff_check": "Lint",
    "pytest_run": "Run the tests of",
}
_DIFF_LIMIT = 400_000
_MOST_OF_A_VALUE = 60


def path_of(arguments: Mapping[str, object]) -> str | None:
    """The file that a call is about."""
    return text_of(arguments.get("path")) or text_of(arguments.get("file_path"))


def text_of(value: object) -> str | None:
    """The value, if it is a text."""
    return value if isinstance(value, str) else None


def command_line(arguments: Mapping[str, object]) -> str | None:
    """The command of a call as one line, with the folder where it is not the usual one."""
    return _command(arguments)[0]


def _command(arguments: Mapping[str, object]) -> tuple[str | None, Mapping[str, object]]:
    """The command line, and the arguments that are not in it."""
    rest = dict(arguments)
    command = text_of(rest.get("command"))
    if command is None:
        return None, rest
    del rest["command"]
    line = command
    args, cwd = rest.get("args"), rest.get("cwd")
    if isinstance(args, list) and all(isinstance(each, str) for each in args):
        line = shlex.join([command, *args]) if args else command
        del rest["args"]
    if isinstance(cwd, str):
        line = f"{line}  (in {cwd})" if cwd else line
        del rest["cwd"]
    absent = {name for name in ("args", "cwd") if rest.get(name, "") is None}
    return line, {name: value for name, value in rest.items() if name not in absent}


def rule_of(call: Call) -> str:
    """What "always" means for this call: the exact command, or the tool for everything else."""
    command, rest = _command(call.arguments) if call.effect == "execute" else (None, {})
    if command is None:
        return call.name
    # A server's tool may take more than a command line: then all of it is what was allowed.
    more = f"  {json.dumps(rest, sort_keys=True, default=str)}" if rest else ""
    return f"{call.name}: {command}{more}"


def title_of_call(tool: str, arguments: Mapping[str, object]) -> str:
    """One line about a call, for a permission card or a list of calls."""
    command, rest = _command(arguments)
    if command is not None:
        more = f", and more: {visible(', '.join(map(str, rest)))}" if rest else ""
        return f"Run {one_line(command) or '(nothing)'}{more}"
    path = path_of(arguments)
    verb = _VERBS.get(tool)
    if path is not None and verb is not None:
        return f"{verb} {one_line(path)}"
    return f"{tool}({visible(', '.join(map(_short, arguments.values())))})"


def _short(value: object) -> str:
    text = repr(value)
    more = len(text) - _MOST_OF_A_VALUE
    return text if more <= 0 else f"{text[:_MOST_OF_A_VALUE]}… ({more} more characters)"


def rest_of(tool: str, arguments: Mapping[str, object], effect: Effect) -> str:
    """The arguments of a call that neither its command line nor its diff shows, in full; "" for a read."""
    if effect == "read":
        return ""
    command, rest = _command(arguments) if effect == "execute" else (None, dict(arguments))
    shown: set[str] = set()
    if command is None and path_of(arguments) is not None:
        writes = effect == "write" and text_of(arguments.get("content")) is not None
        if writes or tool in _VERBS:
            shown = {"path" if text_of(arguments.get("path")) else "file_path"}
        if writes:
            shown.add("content")
    return "\n".join(_in_full(name, each) for name, each in rest.items() if name not in shown)


def _in_full(name: str, value: object) -> str:
    """An argument; further lines of a text stand back, so that they look like no other argument."""
    if isinstance(value, str) and "\n" in value:
        lines = value.split("\n")
        return "\n".join([f"{name}:", *(f"    {line}" for line in lines)])
    return f"{name}: {value!r}"


def unified_diff(path: str, old: str, new: str) -> str:
    """A unified diff of one file; a note in its place when the texts are very long."""
    if len(old) + len(new) > _DIFF_LIMIT:
        return f"--- {path}\n+++ {path}\n(too long for a diff: {len(old)} characters become {len(new)})\n"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
