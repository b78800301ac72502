"""The slow path: a turn played by a real `punie acp` process, as an editor would have it.

The process gets a fresh copy of the workspace as its folder; what it reports over the protocol becomes the
turn that is scored. Every permission is granted, since the copy is nobody's project.

Covered: programs, calls, printed text, prose, stop reasons. Not covered: the value of a last expression,
which an editor is not told; a program that shows something only that way is scored as showing nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from punie_agent.acp.testing import AgentGoneError, AgentProcess, WireError
from punie_train.errors import EvaluationError
from punie_train.evaluation.arena import Arena, Played
from punie_train.evaluation.identity import Candidate
from punie_train.evaluation.places import snapshot
from punie_train.evaluation.play import Play
from punie_train.evaluation.suite import Query
from punie_train.evaluation.turn import CallMade, Run, Turn


def model_argv(candidate: Candidate) -> list[str]:
    """Return the command of an agent that serves a model.

    Raises:
        EvaluationError: an adapter, which no agent serves; fuse it first.
    """
    if candidate.adapter is not None:
        raise EvaluationError(
            f"{candidate.adapter}: an adapter cannot be served; score the fused model."
        )
    return acp_argv(str(candidate.folder.resolve()))


def acp_argv(model: str) -> list[str]:
    """Return the command of an agent with a model, by any name that `punie` knows."""
    return [sys.executable, "-m", "punie_agent", "acp", "--model", model]


def through_acp(arena: Arena, argv: Sequence[str]) -> Play:
    """Return the player that starts an agent for each turn.

    Args:
        arena: makes the copies.
        argv: the agent's command.
    """

    async def play(query: Query) -> Played:
        root = await asyncio.to_thread(arena.copy, query)
        before = await asyncio.to_thread(snapshot, root)
        started = time.monotonic()
        try:
            turn = await _turn(query, root.as_posix(), argv, arena.turn_seconds)
        except (AgentGoneError, WireError, TimeoutError) as error:
            problem = f"{type(error).__name__}: {error}"
            turn = Turn(stop_reason="error", problem=problem, seconds=time.monotonic() - started)
        return Played(turn, root, before, await asyncio.to_thread(snapshot, root))

    return play


async def _turn(query: Query, root: str, argv: Sequence[str], patience: float) -> Turn:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    async with AgentProcess.start(argv, cwd=root, env=environment, patience=patience) as agent:
        agent.on["session/request_permission"] = _granted
        await agent.initialize()
        session = await agent.request("session/new", {"cwd": root, "mcpServers": []})
        started = time.monotonic()
        prompt = [{"type": "text", "text": query.prompt}]
        answer = await agent.request(
            "session/prompt", {"sessionId": session["sessionId"], "prompt": prompt}
        )
        return Turn(
            final_text=_last_prose(agent.updates()),
            runs=_runs(agent.updates()),
            stop_reason=answer["stopReason"],
            seconds=time.monotonic() - started,
        )


def _granted(request: dict[str, Any]) -> dict[str, Any]:
    options = request["options"]
    chosen = next((o for o in options if o["kind"] == "allow_once"), options[0])
    return {"outcome": {"outcome": "selected", "optionId": chosen["optionId"]}}


def _last_prose(updates: Sequence[dict[str, Any]]) -> str:
    """Return the prose after the last program, which is the answer."""
    kinds = [update["sessionUpdate"] for update in updates]
    last = max((i for i, kind in enumerate(kinds) if kind.startswith("tool_call")), default=-1)
    return "".join(
        update["content"].get("text", "")
        for update in updates[last + 1 :]
        if update["sessionUpdate"] == "agent_message_chunk"
    ).strip()


def _runs(updates: Sequence[dict[str, Any]]) -> tuple[Run, ...]:
    started = [update for update in updates if update["sessionUpdate"] == "tool_call"]
    ended: dict[str, dict[str, Any]] = {}
    for update in updates:
        if update["sessionUpdate"] == "tool_call_update":
            ended.setdefault(update["toolCallId"], {}).update(update)
    runs = []
    for program in started:
        if _meta(program).get("tool") != "execute_code":
            continue
        name = program["toolCallId"]
        output = ended.get(name, {}).get("rawOutput") or {}
        calls = [each for each in started if _meta(each).get("code") == name]
        runs.append(
            Run(
                code=program["rawInput"]["code"],
                status=str(output.get("status", "cancelled")),
                stdout=str(output.get("stdout", "")),
                calls=tuple(_call(call, ended.get(call["toolCallId"], {})) for call in calls),
            )
        )
    return tuple(runs)


def _call(call: dict[str, Any], end: dict[str, Any]) -> CallMade:
    output = end.get("rawOutput")
    failed = end.get("status") != "completed"
    error = output.get("error") if failed and isinstance(output, dict) else None
    return CallMade(
        tool=str(_meta(call).get("tool", "")),
        arguments=call.get("rawInput") or {},
        result=None if failed else output,
        error=(error or "it was not allowed") if failed else None,
    )


def _meta(update: dict[str, Any]) -> dict[str, Any]:
    return (update.get("_meta") or {}).get("punie") or {}
