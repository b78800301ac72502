"""The arena: where a model's turn is played on a fresh copy of a workspace, with the real tools.

Every turn goes through the agent's own loop and the sandbox, as it would for a person. What is true of a
query is computed in the same way: its `truth` program runs in the sandbox on another fresh copy.

Covered: copies, tools, turns, truths, tests and probes. Not covered: judging (`scoring`), and which
turns run at once (`validate`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from punie_agent.constrain import constrained
from punie_agent.contract import Contract, standard_functions
from punie_agent.errors import AgentError
from punie_agent.loop import TurnLimits, TurnResult, run_turn
from punie_agent.models import Message
from punie_agent.rehearsal import rehearsed
from punie_sandbox import Limits, RunResult, Sandbox, SandboxError
from punie_tools import Completed, LocalHost, Toolbox, ToolsError, load_plugins
from punie_train.errors import EvaluationError
from punie_train.evaluation.facts import Truth, read_truth
from punie_train.evaluation.places import fresh_copy, snapshot
from punie_train.evaluation.turn import CallMade, Run, Turn

if TYPE_CHECKING:
    from punie_agent.models import ChatModel
    from punie_train.evaluation.suite import Query, Suite

PROBE_SECONDS = 60.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class MemoHost(LocalHost):
    """A local host that runs the type checker once for each content of a workspace.

    Copies of a workspace are alike, and the checker is a pure function of their content, so its output
    may be remembered across them. Nothing else is.
    """

    memory: dict[tuple[str, ...], Completed]

    def __init__(self, root: Path, memory: dict[tuple[str, ...], Completed]) -> None:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        super().__init__(root, env={**environment, "PYTHONDONTWRITEBYTECODE": "1"})
        self.memory = memory

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the protocol's own parameter
    ) -> Completed:
        """Run a command, or recall what it printed; see `Host.run`."""
        pure = list(argv[:1]) == ["ty"] and not any(str(self.roots[0]) in word for word in argv)
        if not pure:
            return await super().run(argv, cwd=cwd, env=env, timeout=timeout)
        content = json.dumps(snapshot(self.roots[0]), sort_keys=True)
        key = (*argv, str(cwd or ""), hashlib.sha256(content.encode()).hexdigest())
        if key in self.memory:
            return self.memory[key]
        done = await super().run(argv, cwd=cwd, env=env, timeout=timeout)
        if not done.timed_out and done.exit_code >= 0:  # it was not ended: this is its answer
            self.memory[key] = done
        return done


@dataclass(frozen=True)
class Played:
    """A turn that was played, and what it left.

    Attributes:
        turn: what the model did.
        root: the folder of its copy of the workspace.
        before: digests of the files at the start, by path.
        after: digests of the files at the end.
    """

    turn: Turn
    root: Path
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclass
class Arena:
    """Plays the queries of one suite.

    Args:
        suite: the queries.
        workspaces: the folder that holds the workspaces.
        folder: where copies are made; the caller removes it.
        style: how the contract speaks to the model.
        tools: the tools the model is given, if not just those of the suite.
        turn_limits: bounds of one turn.
        turn_seconds: wall-clock bound of one turn.
        constrained: whether replies are kept to the contract and the paths at hand.
        rehearsed: whether edits of constrained replies are tried on a copy before one is made.
    """

    suite: Suite
    workspaces: Path
    folder: Path
    style: Literal["full", "brief"] = "brief"
    tools: Sequence[str] | None = None
    turn_limits: TurnLimits = field(default_factory=TurnLimits)
    turn_seconds: float = 600.0
    constrained: bool = False
    rehearsed: bool = False
    _memory: dict[tuple[str, ...], Completed] = field(default_factory=dict)
    _truths: dict[str, Truth] = field(default_factory=dict)
    _copies: int = 0

    def contract(self, host: LocalHost | None = None) -> Contract:
        """Return the contract the suite's queries are played under."""
        chosen = toolbox(host or MemoHost(self.workspaces, self._memory))
        return Contract(
            standard_functions(chosen, self.tools or self.suite.tools), style=self.style
        )

    @cached_property
    def reading_tools(self) -> frozenset[str]:
        """The tools that change nothing, those of plug-ins included; running tests counts as looking."""
        effects = toolbox(self.host(self.workspaces)).effects
        return frozenset(name for name, effect in effects.items() if effect == "read") | {
            "pytest_run"
        }

    def host(self, root: Path) -> MemoHost:
        """Return a host for one copy of a workspace."""
        return MemoHost(root, self._memory)

    def copy(self, query: Query) -> Path:
        """Make a fresh copy of a query's workspace."""
        self._copies += 1
        return fresh_copy(
            self.workspaces,
            self.suite.workspace_of(query),
            self.folder / f"{self._copies}-{query.id}",
        )

    async def truth(self, query: Query) -> Truth | None:
        """Return what is true of a query; None where only files matter.

        Raises:
            EvaluationError: the query's own program fails.
        """
        if not query.truth:
            return None
        if query.id not in self._truths:
            root = await asyncio.to_thread(self.copy, query)
            functions = standard_functions(toolbox(self.host(root)))
            async with Sandbox(functions, limits=Limits(calls=1000)) as sandbox:
                result = await sandbox.run(self.suite.prelude + "\n" + query.truth)
            where = f"suite {self.suite.name}, query {query.id}"
            if not result.ok:
                problems = "; ".join(_problems(result))
                raise EvaluationError(f"{where}: the truth program fails: {problems}.")
            self._truths[query.id] = read_truth(result.stdout, where)
        return self._truths[query.id]

    async def play(self, query: Query, model: ChatModel) -> Played:
        """Let a model answer a query on a fresh copy of its workspace. Never raises for what it does."""
        root = await asyncio.to_thread(self.copy, query)
        before = await asyncio.to_thread(snapshot, root)
        turn = await self._turn(query, model, self.host(root))
        after = await asyncio.to_thread(snapshot, root)
        return Played(turn, root, before, after)

    async def _turn(self, query: Query, model: ChatModel, host: LocalHost) -> Turn:
        contract = self.contract(host)
        messages = [
            Message("system", contract.system_prompt),
            Message("user", query.prompt),
        ]
        started = time.monotonic()
        try:
            async with Sandbox(contract.functions) as sandbox:
                result = await asyncio.wait_for(
                    run_turn(
                        model=self._held(model, contract, host),
                        contract=contract,
                        sandbox=sandbox,
                        messages=messages,
                        limits=self.turn_limits,
                    ),
                    self.turn_seconds,
                )
        except (AgentError, SandboxError, ToolsError) as error:
            problem = f"{type(error).__name__}: {error}"
        except TimeoutError:
            problem = f"the turn took longer than {self.turn_seconds:.0f} s"
        else:
            return turn_of(result, time.monotonic() - started)
        return Turn(stop_reason="error", problem=problem, seconds=time.monotonic() - started)

    def _held(self, model: ChatModel, contract: Contract, host: LocalHost) -> ChatModel:
        if not self.constrained:
            return model
        held = constrained(model, contract, host.roots[0])
        return rehearsed(held, contract, host, host_at=self.host) if self.rehearsed else held

    async def command(self, root: Path, argv: Sequence[str]) -> Completed:
        """Run Python with arguments in a copy of a workspace: its tests, or a probe."""
        return await self.host(root).run([sys.executable, *argv], timeout=PROBE_SECONDS)

    async def errors_in(self, root: Path, path: str) -> list[str]:
        """Return the type errors of a path in a copy of a workspace, for people to read."""
        result = await toolbox(self.host(root)).typecheck(path)
        if result.parse_error:
            return [result.parse_error]
        return [f"{error.file}:{error.line}: {error.message}" for error in result.errors]


def toolbox(host: LocalHost) -> Toolbox:
    """Return the tools of a workspace, those of installed plug-ins included."""
    return Toolbox(host, plugins=load_plugins())


def turn_of(result: TurnResult, seconds: float) -> Turn:
    """Return a turn of the agent's loop as the scorer's plain values."""
    return Turn(
        final_text=result.final_text,
        runs=tuple(run_of(run) for run in result.runs),
        stop_reason=result.stop_reason,
        seconds=seconds,
        output_tokens=result.usage.output_tokens,
        messages=tuple((message.role, message.content) for message in result.messages),
    )


def run_of(result: RunResult) -> Run:
    """Return a run of the sandbox as the scorer's plain values."""
    return Run(
        code=result.code,
        status=str(result.status.value),
        stdout=result.stdout,
        value=_value_text(result.value),
        calls=tuple(
            CallMade(call.name, dict(call.arguments), call.result, call.error)
            for call in result.calls
        ),
        problems=tuple(_problems(result)),
    )


def _value_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else repr(value)


def _problems(result: RunResult) -> list[str]:
    problems = [str(diagnostic) for diagnostic in result.diagnostics]
    return [*problems, str(result.error)] if result.error else problems
