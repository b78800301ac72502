"""What a person at the terminal sees of a turn.

Prose and printed output go to standard output, the rest (code, calls, questions) to standard error, so
that `punie ask … > file` keeps the answer.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from punie_agent._visible import visible
from punie_agent.events import (
    CallFinished,
    CallStarted,
    CodeFinished,
    CodeStarted,
    Compacted,
    Event,
    Notice,
    Retried,
    TextDelta,
    ThoughtDelta,
)
from punie_agent.permissions import PermissionRequest, title_of_call

if TYPE_CHECKING:
    from punie_sandbox import RunResult

__all__ = ["Display", "JsonDisplay", "TextDisplay", "plain", "shown"]


def plain(text: str) -> Text:
    """Text for a table: nothing in it is markup, an emoji's name or a terminal's command."""
    return Text(visible(text))


def shown(text: str, *, terminal: bool | None = None) -> str:
    """Text for standard output: as it is for a file, harmless for a terminal.

    Args:
        text: what is to be shown.
        terminal: whether it goes to one; None asks standard output.
    """
    return visible(text) if (sys.stdout.isatty() if terminal is None else terminal) else text


class Display(Protocol):
    """Watches a turn, and shows what a person is asked."""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        ...

    def show_request(self, request: PermissionRequest) -> None:
        """Show what permission is asked for."""
        ...

    def finish(self) -> None:
        """The turn is over."""
        ...


class JsonDisplay:
    """Shows nothing while the turn runs: the result is printed as one object at the end."""

    def __call__(self, event: Event) -> None:
        """Show nothing."""

    def show_request(self, request: PermissionRequest) -> None:
        """Show nothing; nobody is asked."""

    def finish(self) -> None:
        """Nothing is open."""


class TextDisplay:
    """Streams prose, shows code with its calls, and prints what the code printed."""

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or Console(highlight=False, soft_wrap=True)
        self._err = err or Console(stderr=True, highlight=False, soft_wrap=True)
        self._line_open = False
        self._announced = ""
        self._told_error = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case TextDelta(text=text):
                self._out.print(Text(self._shown(text)), end="")
                self._line_open = not text.endswith("\n")
            case ThoughtDelta(text=text):
                self._err.print(Text(visible(text), style="dim italic"), end="")
            case CodeStarted(code=code):
                self.finish()
                self._announced = self._told_error = ""
                self._err.print(
                    Syntax(visible(code), "python", theme="ansi_dark", background_color="default")
                )
            case CallStarted(tool=tool, arguments=arguments):
                self._announced = title_of_call(tool, arguments)
                self._note(f"→ {self._announced}", "cyan")
            case CallFinished():
                self._show_call(event)
            case CodeFinished(result=result) if result is not None:
                self._show_run(result)
            case Retried(reason=reason):
                self._note(f"asking again: {reason}", "yellow")
            case Compacted():
                self._note("older messages were shortened", "dim")
            case Notice(text=text):
                self.finish()
                self._note(f"punie: {text}", "bold yellow")
            case _:
                pass

    def show_request(self, request: PermissionRequest) -> None:
        """Show the title, unless it was shown last, the diff or the command, and what is in neither."""
        self.finish()
        if request.title != self._announced:
            self._err.print(Text(visible(request.title), style="bold"))
        if request.diff:
            self._err.print(
                Syntax(visible(request.diff), "diff", theme="ansi_dark", background_color="default")
            )
        elif request.command is not None:
            self._err.print(Text(visible(f"$ {request.command}")))
        if request.more:
            self._err.print(Text(visible(request.more)))

    def finish(self) -> None:
        """End an open line."""
        if self._line_open:
            self._out.print()
            self._line_open = False

    def _show_call(self, call: CallFinished) -> None:
        self._told_error = call.error or ""
        if call.decision == "deny":
            reason = (call.error or "").removeprefix("PermissionError: ")
            self._note(f"✗ {call.tool} was not allowed: {reason}", "yellow")
        elif call.error is not None:
            self._note(f"✗ {call.tool}: {call.error}", "red")
        else:
            self._note(f"✓ {call.tool}: {call.summary}", "green")

    def _show_run(self, result: RunResult) -> None:
        if result.stdout:
            self._out.print(Text(self._shown(result.stdout.rstrip("\n"))))
        if result.value is not None:
            self._out.print(Text(repr(result.value)))
        for found in result.diagnostics:
            self._note(f"line {found.line}: {found.message}", "yellow")
        error = result.error
        if error is not None and f"{error.type}: {error.message}" != self._told_error:
            self._note(str(error), "red")

    def _note(self, text: str, style: str) -> None:
        self._err.print(Text(visible(text), style=style))

    def _shown(self, text: str) -> str:
        return shown(text, terminal=self._out.is_terminal)
