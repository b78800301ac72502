"""Executing tasks: every program runs in the sandbox on a fresh copy, through the agent's own loop.

The record keeps the messages as the loop made them, the trace of each run, and the answer computed from the
results. A drill is executed like all others, its whole trace is kept, and its messages end with the first
program. Durations in the trace are set to 0: they are the only part that another run would not repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from punie_agent.contract import Contract, standard_functions
from punie_agent.events import CodeFinished, Event
from punie_agent.loop import TurnLimits, run_turn
from punie_agent.models import Message, ModelReply
from punie_sandbox import RunResult, Sandbox
from punie_train.data.answers import Refused, answer_for
from punie_train.data.bench import Bench
from punie_train.data.config import GenerateConfig
from punie_train.data.tasks import Exchange, Task
from punie_train.data.workspaces import files_digest

__all__ = ["Failure", "Numbered", "Played", "groups_of", "play_share"]

Numbered = tuple[int, Task]
"""A task and its place among all."""


_UP_TO_FIRST_PROGRAM = 3
"""Messages of a drill: the system's, the user's, and the program."""


@dataclass(frozen=True)
class Failure:
    """A task whose run did not show what it is about."""

    task: Task
    reason: str

    def __str__(self) -> str:
        workspace = self.task.scene.workspace.name if self.task.scene else "no workspace"
        return f"{self.task.id} ({workspace}): {self.task.prompt!r}: {self.reason}"


class _Author:
    """A chat model that writes an exchange's programs and then the answer computed from their runs."""

    name = "author"
    context_limit = None

    def __init__(self, exchange: Exchange, contract: Contract) -> None:
        self._exchange = exchange
        self._contract = contract
        self.runs: list[RunResult] = []

    def watch(self, event: Event) -> None:
        if isinstance(event, CodeFinished) and event.result is not None:
            self.runs.append(event.result)

    async def reply(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - the script knows what to say
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,  # noqa: ARG002 - it does not think aloud
        max_tokens: int | None = None,  # noqa: ARG002 - it is never cut
    ) -> ModelReply:
        steps = self._exchange.steps
        if len(self.runs) < len(steps):
            text = self._contract.format_call(steps[len(self.runs)])
        else:
            text = self._exchange.answer or answer_for(
                self._exchange.intent, self._exchange.slots, self.runs
            )
        if on_text is not None:
            on_text(text)
        return ModelReply(text)


@dataclass
class Played:
    """What became of tasks, by their numbers.

    Attributes:
        records: of those that showed what they are about.
        failures: the others.
        calls: calls of tools that were really made.
        remembered: calls that were answered from memory.
    """

    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    calls: int = 0
    remembered: int = 0


async def play_share(
    groups: Iterable[Sequence[Numbered]],
    config: GenerateConfig,
    *,
    licence: str,
    folder: Path,
    on_done: Callable[[Played], None],
) -> Played:
    """Execute groups of tasks one after the other.

    Args:
        groups: see `groups_of`.
        config: which tools there are.
        licence: of the records.
        folder: an empty one, for copies of workspaces.
        on_done: told after each task what there is so far.
    """
    played, bench = Played(), Bench(folder)
    functions = standard_functions(bench, config.tools)
    contract = Contract(functions, style="brief", call_format="fenced")
    async with bench, Sandbox(functions) as sandbox:
        for index, task in chain.from_iterable(groups):
            try:
                messages, runs = await _play(task, bench, sandbox, contract)
            except Refused as reason:
                played.failures[index] = Failure(task, str(reason))
            else:
                played.records[index] = _record(task, messages, runs, contract, licence)
            played.calls, played.remembered = bench.executed, bench.remembered
            on_done(played)
    return played


def groups_of(tasks: Sequence[Task]) -> Iterator[list[Numbered]]:
    """Yield the tasks of each scene with their numbers, the scenes of each workspace in a row.

    So a bench seldom has to lay out another workspace, and remembers what was asked about a scene.
    """

    def place(numbered: Numbered) -> tuple[str, str]:
        scene = numbered[1].scene
        return (scene.workspace.name, files_digest(scene.files)) if scene is not None else ("", "")

    for _, group in groupby(sorted(enumerate(tasks), key=place), key=place):
        yield list(group)


async def _play(
    task: Task, bench: Bench, sandbox: Sandbox, contract: Contract
) -> tuple[tuple[Message, ...], list[RunResult]]:
    if task.scene is not None:
        await bench.set_scene(task.scene)
        await sandbox.reset()
    messages: tuple[Message, ...] = ()
    runs: list[RunResult] = []
    for exchange in task.exchanges:
        author = _Author(exchange, contract)
        result = await run_turn(
            model=author,
            contract=contract,
            sandbox=sandbox,
            messages=[*messages, Message("user", exchange.prompt)],
            on_event=author.watch,
            limits=TurnLimits(requests=len(exchange.steps) + 1),
        )
        if result.stop_reason != "end_turn":
            raise Refused(f"the turn ended with {result.stop_reason}")
        messages = result.messages
        runs.extend(result.runs)
    return messages, runs


def _record(
    task: Task,
    messages: Sequence[Message],
    runs: Sequence[RunResult],
    contract: Contract,
    licence: str,
) -> dict[str, Any]:
    shown = messages[:_UP_TO_FIRST_PROGRAM] if task.drill else messages
    record: dict[str, Any] = {
        "id": task.id,
        "category": task.category,
        "intent": task.intent,
        "workspace": task.scene.workspace.name if task.scene else None,
        "files": dict(task.scene.extra) if task.scene else {},
        "tools": list(contract.tools),
        "prompt": task.prompt,
        "messages": [{"role": each.role, "content": each.content} for each in shown],
        "trace": [_trace(run) for run in runs],
        "source": "punie",
        "licence": licence,
    }
    return {**record, "drill": True} if task.drill else record


def _trace(run: RunResult) -> dict[str, Any]:
    calls = tuple(replace(call, duration=0.0) for call in run.calls)
    return replace(run, duration=0.0, calls=calls).to_json()
