"""What a turn costs besides the model, and what writing code saves in model round trips.

All models here are scripted, so that only Punie's own work is measured. Ratios compare two things of the
same run: a turn with the same code run by the bare sandbox, and a task with three tool calls in one piece
of code with the same task done one tool call a turn by pydantic-ai, both with the same model latency.

    python bench_turn.py --json OUT [--turns N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic_ai import Agent, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from punie_agent.contract import Contract, standard_functions
from punie_agent.loop import run_turn
from punie_agent.models import Message
from punie_agent.testing import ScriptedModel
from punie_agent.workbench import Workbench, open_workbench
from punie_tools import LocalHost, Toolbox

LATENCY = 0.3
CODE = 'print(read_file("a.txt"))'
THREE = 'for name in ("a.txt", "b.txt", "c.txt"):\n    print(read_file(name))'
ASK = [Message("user", "Go")]


def row(name: str, measured: float, peer: float, bound: str, ok: bool) -> dict[str, Any]:
    """One row of the benchmark table."""
    names = ("punie-agent", "punie-sandbox", "pydantic-ai-slim", "pydantic-monty")
    versions = {"python": platform.python_version(), **{each: version(each) for each in names}}
    ratio = round(measured / peer, 3) if peer else 0.0
    return {"name": name, "measured": round(measured, 4), "peer": round(peer, 4), "ratio": ratio,
            "bound": bound, "ok": ok, "versions": versions}  # fmt: skip


async def turn(
    bench: Workbench, model: ScriptedModel, messages: list[Message]
) -> tuple[Message, ...]:
    """One turn in an open workbench."""
    result = await run_turn(
        model=model, contract=bench.contract, sandbox=bench.sandbox, messages=messages
    )
    return result.messages


async def overhead(folder: Path, turns: int) -> list[dict[str, Any]]:
    """A turn with an instant model, beside its code run by the sandbox alone."""
    answer = ScriptedModel(["Just so."], repeat=True)
    acting = ScriptedModel([f"```python\n{CODE}\n```", "Read."], repeat=True)
    plain, act, bare = [], [], []
    async with open_workbench(folder, answer, mode="auto") as bench:
        for number in range(turns + 3):
            began = time.perf_counter()
            await turn(bench, answer, ASK)
            answered = time.perf_counter()
            await turn(bench, acting, ASK)
            acted = time.perf_counter()
            await bench.sandbox.run(CODE)
            ran = time.perf_counter()
            if number >= 3:  # the first ones start the worker
                plain.append(1000 * (answered - began))
                act.append(1000 * (acted - answered))
                bare.append(1000 * (ran - acted))
    answers, calls, runs = (statistics.median(each) for each in (plain, act, bare))
    own = calls - runs
    return [
        row("turn with a plain answer (ms, median)", answers, runs, "<= 10 ms", answers <= 10),
        row(
            "turn with one tool call, the sandbox's run taken off (ms, median)",
            own,
            runs,
            "<= 10 ms",
            own <= 10,
        ),
    ]


async def round_trips(folder: Path) -> dict[str, Any]:
    """Three tools in one code call, beside one tool call a turn with the same latency."""
    model = ScriptedModel([f"```python\n{THREE}\n```", "Read."], latency=LATENCY, repeat=True)
    async with open_workbench(folder, model, mode="auto") as bench:
        await bench.sandbox.run("print(1)")
        began = time.perf_counter()
        await turn(bench, model, ASK)
        code_mode = time.perf_counter() - began
    began = time.perf_counter()
    await one_call_a_turn(folder)
    classic = time.perf_counter() - began
    name = f"three tools, {LATENCY:g} s a model reply: one code call beside one call a turn (s)"
    return row(name, code_mode, classic, "<= 0.6", code_mode / classic <= 0.6)


async def one_call_a_turn(folder: Path) -> None:
    """The same task by JSON tool calls: a model reply for each of them."""
    names = iter(("a.txt", "b.txt", "c.txt", None))

    async def reply(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(LATENCY)
        name = next(names)
        part = TextPart("Read.") if name is None else ToolCallPart("read_file", {"path": name})
        return ModelResponse(parts=[part])

    read_file = Tool(Toolbox(LocalHost(folder)).read_file, takes_ctx=False)
    await Agent(FunctionModel(reply), tools=[read_file]).run("Go")


def resident() -> int:
    """Bytes of this process in memory."""
    text = Path("/proc/self/statm").read_text()
    return int(text.split()[1]) * 4096


async def long_session(folder: Path, turns: int = 1000) -> dict[str, Any]:
    """A thousand turns of one conversation: memory beyond its own history."""
    answer = ScriptedModel(["Just so."], repeat=True)
    async with open_workbench(folder, answer, mode="auto") as bench:
        messages: list[Message] = []
        for number in range(turns + 50):
            messages = [
                *(await turn(bench, answer, [*messages, Message("user", f"Turn {number}")]))
            ]
            answer.seen.clear()  # the script keeps what it saw, for tests
            if number == 49:
                gc.collect()
                before = resident()
        gc.collect()
        grown = resident() - before
    history = sum(len(message.content) + 100 for message in messages)
    beyond = max(grown - history, 0) / 1e6
    name = f"memory grown in {turns} turns beyond the history (MB)"
    return row(name, beyond, history / 1e6, "<= 3 MB", beyond <= 3)


def contract_row(folder: Path) -> dict[str, Any]:
    """Building a contract for the whole toolbox, beside rendering its stubs."""
    functions = standard_functions(Toolbox(LocalHost(folder)))
    built, stubs = [], []
    for _ in range(10):
        began = time.perf_counter()
        functions.stubs()
        rendered = time.perf_counter()
        Contract(functions)
        built.append(1000 * (time.perf_counter() - rendered))
        stubs.append(1000 * (rendered - began))
    measured, peer = statistics.median(built), statistics.median(stubs)
    return row(
        "contract of the whole toolbox (ms, median)", measured, peer, "<= 40 ms", measured <= 40
    )


async def measure(folder: Path, turns: int) -> list[dict[str, Any]]:
    """All rows."""
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(f"this is {name}\n")
    rows = await overhead(folder, turns)
    return [*rows, await round_trips(folder), await long_session(folder), contract_row(folder)]


def main() -> int:
    """Measure and write the rows; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder), options.turns))
    options.json.write_text(json.dumps(rows, indent=2) + "\n")
    for each in rows:
        print(f"{each['name']}: {each['measured']}, peer {each['peer']}, ratio {each['ratio']}")
    return 0 if all(each["ok"] for each in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
