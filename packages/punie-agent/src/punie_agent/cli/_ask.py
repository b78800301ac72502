"""`punie ask`: one task in one project, in the terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_agent import models, traces
from punie_agent.cli._display import JsonDisplay, TextDisplay
from punie_agent.cli._terminal import TerminalAsker, interruptible, run_to_end
from punie_agent.errors import ConfigError
from punie_agent.loop import TurnLimits, TurnResult, run_turn
from punie_agent.models import Message
from punie_agent.permissions import Mode
from punie_agent.rehearsal import kept_and_rehearsed
from punie_agent.workbench import open_workbench

if TYPE_CHECKING:
    from punie_agent.models import ChatModel
    from punie_agent.workbench import Workbench

__all__ = ["held", "mode_of", "run"]


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    prompt = _given(options.prompt)
    if not prompt.strip():
        raise ConfigError("the prompt is empty; say what to do")
    folder = Path(options.cwd)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; --cwd names the project's folder")
    return run_to_end(_ask(prompt, folder, options))


def _given(prompt: str) -> str:
    """The prompt, from standard input for "-"; bytes that are no UTF-8, as models want it, are replaced."""
    if prompt != "-":
        return os.fsencode(prompt).decode(errors="replace")
    if sys.stdin is None:
        raise ConfigError("standard input is closed; give the prompt as an argument")
    return sys.stdin.buffer.read().decode(errors="replace")


async def _ask(prompt: str, folder: Path, options: argparse.Namespace) -> int:
    model = models.resolve(options.model or models.default_name())
    display = JsonDisplay() if options.json else TextDisplay()
    asker = None if options.json else TerminalAsker(display)
    try:
        async with (
            open_workbench(folder, model, asker=asker, mode=mode_of(options)) as bench,
            interruptible() as cancel,
        ):
            result = await run_turn(
                model=held(model, bench, options),
                contract=bench.contract,
                sandbox=bench.sandbox,
                messages=[Message("user", prompt)],
                on_event=display,
                limits=TurnLimits(requests=options.max_requests),
                permissions=bench.permissions,
                cancel=cancel,
            )
    finally:
        await models.close(model)
    display.finish()
    traces.record(result, model=model.name, contract=bench.contract, project=folder)
    if options.json:
        print(json.dumps(_as_json(model.name, result), indent=2, ensure_ascii=False))
    return _exit_code(result)


def held(model: ChatModel, bench: Workbench, options: argparse.Namespace) -> ChatModel:
    """The model, kept to the contract and the project's paths and rehearsed, as far as that is wanted."""
    if not options.constrain:
        return model
    host = bench.toolbox.host
    return kept_and_rehearsed(model, bench.contract, host, rehearse=options.rehearse)


def mode_of(options: argparse.Namespace) -> Mode:
    """The mode that --plan and --yes stand for."""
    if options.plan:
        return "plan"
    return "auto" if options.yes else "ask"


def _exit_code(result: TurnResult) -> int:
    if result.stop_reason == "cancelled":
        return 130
    done = result.stop_reason == "end_turn" and bool(result.final_text) and not result.notice
    return 0 if done and all(run.ok for run in result.runs[-1:]) else 1


def _as_json(model: str, result: TurnResult) -> dict[str, Any]:
    return {
        "model": model,
        "stop_reason": result.stop_reason,
        "text": result.final_text,
        "notice": result.notice,
        "runs": [run.to_json() for run in result.runs],
        "usage": {
            "input_tokens": result.usage.input_tokens,
            "output_tokens": result.usage.output_tokens,
            "requests": result.usage.requests,
        },
    }
