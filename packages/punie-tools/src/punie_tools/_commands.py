"""`run_command`: how a command line is read, and how what it left is told as text."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from punie_tools.errors import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_tools.host import Completed

__all__ = ["command_argv", "command_text", "cut_text"]

#: What only a shell understands: pipes, redirections, substitutions, globs, assignments, ~.
_SHELL = re.compile(r"[|&;<>()$`*?\[\]{}\n#~]|^\s*\w+=")
#: What a shell takes literally: an escaped character, text in single quotes, text in double quotes.
_QUOTED = re.compile(r"""\\.|'[^']*'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
#: What every shell has and no directory of programs.
_BUILT_IN = frozenset(
    {".", ":", "!", "alias", "bg", "cd", "command", "eval", "exec", "exit", "export", "fg"}
    | {"getopts", "hash", "jobs", "read", "readonly", "set", "shift", "times", "trap", "type"}
    | {"ulimit", "umask", "unalias", "unset", "wait"}
)
_HEAD_SHARE = 3


def command_argv(command: str, args: Sequence[str] | None) -> list[str]:
    """Return what to run for `run_command(command, args)`.

    With `args`, nothing is interpreted. Without, `command` is a command line: split as a shell
    would, and given to `/bin/sh` only where it uses what only a shell understands.

    Raises:
        ToolMissingError: There is no command in it.
    """
    shell = ["/bin/sh", "-c", command]
    if args is None and _SHELL.search(_outside_quotes(command)):
        return shell
    try:
        argv = [command] if args is not None and " " not in command else shlex.split(command)
    except ValueError as error:
        raise ToolMissingError(f"{command!r} is not a command line: {error}") from error
    if not argv or not argv[0]:
        raise ToolMissingError("the command is empty; name a program to run")
    if args is None and argv[0] in _BUILT_IN:
        return shell
    return [*argv, *map(str, args or ())]


def _outside_quotes(command: str) -> str:
    """Return `command` without what quotes protect; `$` and backquotes act in double quotes."""

    def acting(quoted: re.Match[str]) -> str:
        # shlex leaves the backslash of "\$" and a continued line; a shell does not.
        return "\n" if "\\\n" in quoted[0] else "".join(re.findall(r"[$`]", quoted[1] or ""))

    return _QUOTED.sub(acting, command)


def cut_text(text: str, limit: int) -> str:
    """Return `text`, or its beginning and end with a line between that says what is missing."""
    if len(text) <= limit:
        return text
    tail = limit // _HEAD_SHARE
    head = limit - tail
    missing = len(text) - limit
    end = text[len(text) - tail :] if tail else ""
    return f"{text[:head]}\n[output cut: {missing} of {len(text)} characters left out here]\n{end}"


def command_text(done: Completed, limit: int) -> str:
    """Return the text of a finished command: its output, and how it ended unless that was well."""
    parts = [stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr)]
    joined = "".join(f"{part.rstrip()}\n" for part in parts if part.strip())
    text = cut_text(joined, limit)
    notes = []
    if done.cut:
        notes.append("[output cut: it was longer than the host keeps]")
    if done.timed_out:
        notes.append(f"[timed out after {done.duration:.3g} s; the command was ended]")
    elif done.exit_code < 0:
        notes.append(f"[killed by signal {-done.exit_code}]")
    elif done.exit_code:
        notes.append(f"[exit code {done.exit_code}]")
    return text + "\n".join(notes)
