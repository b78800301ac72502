"""`punie chat`: a conversation in the terminal; the sandbox's variables live as long as it does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from punie_agent import models, traces
from punie_agent._visible import visible
from punie_agent.cli._ask import held, mode_of
from punie_agent.cli._display import TextDisplay
from punie_agent.cli._terminal import TerminalAsker, interruptible, read_line, run_to_end
from punie_agent.errors import ConfigError, ModelError
from punie_agent.loop import TurnLimits, run_turn
from punie_agent.models import ChatModel, Message
from punie_agent.permissions import MODES, Mode
from punie_agent.workbench import Workbench, open_workbench

__all__ = ["run"]

_HELP = """\
/mode MODE   what needs no asking: ask, accept-edits, plan, auto
/clear       forget the conversation
/help        this list
/quit        leave (so does Ctrl-D)"""


def run(options: argparse.Namespace) -> int:
    """Talk until the person leaves; returns the exit code."""
    folder = Path(options.cwd)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; --cwd names the project's folder")
    return run_to_end(_chat(folder.resolve(), options))


async def _chat(folder: Path, options: argparse.Namespace) -> int:
    model = models.resolve(options.model or models.default_name())
    display = TextDisplay()
    try:
        async with open_workbench(
            folder, model, asker=TerminalAsker(display), mode=mode_of(options)
        ) as bench:
            kept = held(model, bench, options)
            chat = Chat(kept, bench, display, folder, TurnLimits(requests=options.max_requests))
            print(
                visible(f"Punie with {model.name} in {folder}. /help lists commands."),
                file=sys.stderr,
            )
            while (line := await _prompted()) is not None:
                if not await chat.take(line.strip()):
                    break
    finally:
        await models.close(model)
    return 0


async def _prompted() -> str | None:
    print("> ", end="", file=sys.stderr, flush=True)
    return await read_line()


class Chat:
    """One conversation: takes lines, keeps the messages."""

    def __init__(
        self,
        model: ChatModel,
        bench: Workbench,
        display: TextDisplay,
        folder: Path,
        limits: TurnLimits,
    ) -> None:
        self._model = model
        self._bench = bench
        self._display = display
        self._folder = folder
        self._limits = limits
        self._messages: tuple[Message, ...] = ()

    async def take(self, line: str) -> bool:
        """Act on one line; False when the person wants to leave."""
        command, _, rest = line.partition(" ")
        match command:
            case "":
                pass
            case "/quit" | "/exit":
                return False
            case "/help":
                print(_HELP)
            case "/clear":
                self._messages = ()
                await self._bench.sandbox.reset()
            case "/mode":
                self._set_mode(rest.strip())
            case _ if command.startswith("/"):
                print(f"There is no command {command}.\n{_HELP}")
            case _:
                await self._turn(line)
        return True

    def _set_mode(self, name: str) -> None:
        if name in get_args(Mode):
            self._bench.permissions.mode = name  # ty: ignore[invalid-assignment] - it is one of them
            print(MODES[self._bench.permissions.mode])
        else:
            now = self._bench.permissions.mode
            for mode, text in MODES.items():
                print(f"{'*' if mode == now else ' '} {mode:14}{text}")

    async def _turn(self, text: str) -> None:
        asked = (*self._messages, Message("user", text))
        try:
            async with interruptible() as cancel:
                result = await run_turn(
                    model=self._model,
                    contract=self._bench.contract,
                    sandbox=self._bench.sandbox,
                    messages=asked,
                    on_event=self._display,
                    limits=self._limits,
                    permissions=self._bench.permissions,
                    cancel=cancel,
                )
        except ModelError as error:
            self._display.finish()
            print(f"punie: {visible(str(error))}", file=sys.stderr)
            self._messages = error.conversation or self._messages
            return
        self._display.finish()
        self._messages = result.messages
        traces.record(
            result, model=self._model.name, contract=self._bench.contract, project=self._folder
        )
