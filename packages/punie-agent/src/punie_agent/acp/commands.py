"""Slash commands: what a person can do without the model, and the shortcuts that use it.

`/check`, `/lint` and `/test` run a fixed piece of code through the same loop, sandbox and permissions
as the model's code, so the editor sees the same tool calls and the model knows the outcome afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acp import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Command", "available", "code_for", "help_text", "split"]


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command.

    Attributes:
        name: without the slash.
        description: one line for the editor's menu.
        hint: what may follow, "" for nothing.
        tool: the tool it runs, "" for none.
    """

    name: str
    description: str
    hint: str = ""
    tool: str = ""


COMMANDS = (
    Command("check", "Check types", "path (default: the whole project)", "typecheck"),
    Command("lint", "Lint with ruff", "path (default: the whole project)", "ruff_check"),
    Command("test", "Run the tests", "path (default: the whole project)", "pytest_run"),
    Command("plan", "Do a task on an overlay: one diff, one approval", "what to do"),
    Command("model", "Show the models, or switch to one", "model name"),
    Command("help", "Show what Punie can do"),
)

_CODE = {
    "typecheck": """\
result = typecheck({path!r})
for each in result.errors:
    print(f"{{each.file}}:{{each.line}}:{{each.column}}: {{each.severity}}[{{each.code}}] {{each.message}}")
print(result.parse_error or f"{{result.error_count}} errors, {{result.warning_count}} warnings")""",
    "ruff_check": """\
result = ruff_check({path!r})
for each in result.violations:
    print(f"{{each.file}}:{{each.line}}:{{each.column}}: {{each.code}} {{each.message}}")
print(result.parse_error or f"{{result.violation_count}} violations, {{result.fixable_count}} fixable")""",
    "pytest_run": """\
result = pytest_run({path!r})
for each in result.tests:
    if each.outcome in ("failed", "error"):
        print(f"{{each.name}}: {{each.message}}")
counts = f"{{result.passed}} passed, {{result.failed}} failed, {{result.errors}} errors"
print(result.parse_error or counts)""",
}


def split(text: str) -> tuple[Command | None, str]:
    """Return the command a message starts with, and the rest; None when it is not a command."""
    head, *rest = text.split(maxsplit=1) or [""]  # a command may have a line of its own
    for command in COMMANDS:
        if head == f"/{command.name}":
            return command, "".join(rest).strip()
    return None, text


def available(tools: Sequence[str]) -> list[schema.AvailableCommand]:
    """Return the commands that work with these tools, for the editor's menu."""
    return [
        schema.AvailableCommand(
            name=command.name,
            description=command.description,
            input=_input(command.hint) if command.hint else None,
        )
        for command in COMMANDS
        if not command.tool or command.tool in tools
    ]


def code_for(command: Command, path: str) -> str:
    """Return the code that a tool command runs."""
    return _CODE[command.tool].format(path=path or ".")


def help_text(tools: Sequence[str], *, model: str, mode: str) -> str:
    """Return what `/help` says."""
    lines = [
        f"Punie works with the model `{model}` in mode `{mode}`. Ask in plain words, or use:",
        "",
    ]
    for command in COMMANDS:
        if not command.tool or command.tool in tools:
            hint = f" {command.hint.split(' (')[0].upper()}" if command.hint else ""
            lines.append(f"- `/{command.name}{hint}`: {command.description}")
    lines += ["", f"The model acts by writing Python with these tools: {', '.join(tools)}."]
    return "\n".join(lines)


def _input(hint: str) -> schema.AvailableCommandInput:
    return schema.AvailableCommandInput(schema.UnstructuredCommandInput(hint=hint))
