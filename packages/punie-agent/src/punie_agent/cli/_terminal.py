"""What every interactive command needs of a terminal: questions, lines of input, Ctrl-C, an end in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import termios
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from punie_agent._visible import one_line
from punie_agent.permissions import Outcome, PermissionDecision, PermissionRequest

if TYPE_CHECKING:
    from punie_agent.cli._display import Display

__all__ = ["TerminalAsker", "interruptible", "read_line", "run_to_end"]

_ANSWERS: dict[str, Outcome] = {
    **dict.fromkeys(("y", "yes"), "allow_once"),
    **dict.fromkeys(("s", "session"), "allow_session"),
    **dict.fromkeys(("a", "always"), "allow_always"),
    **dict.fromkeys(("n", "no"), "reject"),
}
"""Whole words only: "absolutely not" begins with an a."""


class TerminalAsker:
    """Asks a person at the terminal; without a terminal the answer is no, with the way to allow it."""

    def __init__(self, display: Display) -> None:
        self._display = display

    async def __call__(self, request: PermissionRequest) -> PermissionDecision:
        """Show the request and wait for y, s, a or n."""
        self._display.show_request(request)
        if sys.stdin is None or not sys.stdin.isatty():
            return PermissionDecision(
                "reject", "no terminal to ask on; allow everything with --yes"
            )
        # What was typed ahead was not typed to answer this.
        _standard_input().discard()
        scope = f" ({one_line(request.rule)})" if request.rule else ""
        choices = (
            "[y]es, [n]o"
            if not request.rule
            else f"[y]es, for this [s]ession, [a]lways here{scope}, [n]o"
        )
        while True:
            print(
                f"Allow? {choices}: ",
                end="",
                file=sys.stderr,
                flush=True,
            )
            line = await read_line()
            if line is None:
                return PermissionDecision("reject", "no answer")
            outcome = _ANSWERS.get(line.strip().lower())
            offered = request.rule or outcome in {"allow_once", "reject"}
            if outcome is not None and offered:
                return PermissionDecision(outcome)


class LineInput:
    """Lines of standard input, without blocking the loop and without a thread that outlives it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""
        self._ended = False

    async def line(self) -> str | None:
        """The next line without its end; None at the end of input."""
        while b"\n" not in self._buffer and not self._ended:
            await self._readable()
            piece = os.read(self._descriptor, 65536)
            self._ended = not piece
            self._buffer += piece
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def discard(self) -> None:
        """Forget what has been typed but not been read as a line yet."""
        self._buffer = b""
        with contextlib.suppress(termios.error):  # no terminal
            termios.tcflush(self._descriptor, termios.TCIFLUSH)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(
                self._descriptor, lambda: None if ready.done() else ready.set_result(None)
            )
        except PermissionError:  # a regular file, which can always be read
            return
        try:
            await ready
        finally:
            loop.remove_reader(self._descriptor)


@functools.cache
def _standard_input() -> LineInput:
    return LineInput(sys.stdin.fileno())


async def read_line() -> str | None:
    """The next line of standard input; None at its end, or where it is closed."""
    return await _standard_input().line() if sys.stdin is not None else None


@asynccontextmanager
async def interruptible() -> AsyncGenerator[asyncio.Event]:
    """An event that the first Ctrl-C sets; a second one interrupts the process as usual."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        event.set()

    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def run_to_end(work: Coroutine[Any, Any, int]) -> int:
    """Run a command's work; returns its exit code, or 128 + n when signal n ended it.

    SIGTERM, and SIGHUP of a terminal that is closed, cancel the work: they would end this process alone, and
    what runs for the model, in groups of its own, would go on.
    """
    return asyncio.run(_ended_by_signals(work))


async def _ended_by_signals(work: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            return 128 + received[0]
        raise
