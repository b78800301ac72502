"""The agent loop, the only one: ask the model, run the code it wrote, tell it what came out.

It is used by `punie ask`, the ACP server, the generation of training data and the evaluation. It
knows no terminal, no editor and no storage; it reports through events and returns values.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from punie_agent._turn import Turn
from punie_agent.models import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.contract import Contract
    from punie_agent.events import Event, OnEvent
    from punie_agent.models import ChatModel, Usage
    from punie_agent.paused import PausedRun
    from punie_agent.permissions import Permissions
    from punie_sandbox import RunResult, Sandbox

__all__ = ["StopReason", "TurnLimits", "TurnResult", "run_turn"]

StopReason = Literal["end_turn", "max_tokens", "max_turn_requests", "cancelled", "paused"]
"""ACP's words, and "paused": a run waits for a decision that nobody could be asked for."""


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Bounds of one turn.

    Attributes:
        requests: model requests in one turn.
        failures: code calls in a row that may fail before the model is told to answer without code, and
            empty messages in a row that it is asked again for.
        reply_tokens: longest single answer asked of the model; None leaves it to the model.
        total_tokens: input and output tokens of the whole turn; None is no bound.
    """

    requests: int = 20
    failures: int = 3
    reply_tokens: int | None = None
    total_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What a turn led to.

    Attributes:
        messages: the whole conversation after the turn, the system prompt first.
        final_text: the model's last prose ("" when it never gave one).
        runs: every code call's result, in order.
        stop_reason: the reason in ACP's words.
        usage: tokens and requests of this turn alone.
        paused: the run that waits, when the reason is "paused"; give it to the next turn.
        notice: what Punie has to say to the person besides the model's words, "" mostly: that nothing
            ran, that a limit was reached.
        cut_off: the last code was too long to arrive whole, and so was not run.
    """

    messages: tuple[Message, ...]
    final_text: str
    runs: tuple[RunResult, ...]
    stop_reason: StopReason
    usage: Usage
    paused: PausedRun | None = None
    notice: str = ""
    cut_off: bool = False


async def run_turn(  # noqa: PLR0913 - the parts of a turn, each given by name
    *,
    model: ChatModel,
    contract: Contract,
    sandbox: Sandbox,
    messages: Sequence[Message],
    on_event: OnEvent | None = None,
    limits: TurnLimits | None = None,
    permissions: Permissions | None = None,
    cancel: asyncio.Event | None = None,
    paused: PausedRun | None = None,
) -> TurnResult:
    """Run one turn: from the user's message to the model's final answer.

    Args:
        model: who answers.
        contract: how the model is spoken to; its system prompt is always the first message.
        sandbox: where the code runs.
        messages: the conversation so far; the last one is the user's.
        on_event: told everything as it happens.
        limits: bounds; the defaults suit a person waiting.
        permissions: in its mode "plan" code runs on an overlay first, if the sandbox has a `preview`
            (see `punie_agent.planning.preview_for`). Calls are decided by the sandbox's policy, which is
            normally the same object.
        cancel: when set, the turn ends soon with `stop_reason="cancelled"`, everything done so far
            kept. Nothing is reported after that.
        paused: a run of an earlier turn that waits for a decision, maybe of another process: it is
            asked for again and goes on before the model is asked anything. Needs `permissions`.

    Raises:
        ModelError: the model cannot answer. What was done before is in the events and in the error's
            `conversation`.
    """
    limits = limits or TurnLimits()
    turn = Turn(
        model=model,
        contract=contract,
        sandbox=sandbox,
        messages=_with_system_prompt(messages, contract),
        emit=on_event or _ignore,
        limits=limits,
        permissions=permissions,
        paused=paused,
    )
    stop_reason = await _until_cancelled(turn, cancel)
    return TurnResult(
        messages=tuple(turn.messages),
        final_text=turn.final_text,
        runs=tuple(turn.runs),
        stop_reason=stop_reason,
        usage=turn.usage,
        paused=turn.paused,
        notice=turn.notice,
        cut_off=turn.cut_off,
    )


async def _until_cancelled(turn: Turn, cancel: asyncio.Event | None) -> StopReason:
    """Run the turn in a task of its own, which the event may stop at any await."""
    if cancel is None:
        return await turn.run()
    work = asyncio.ensure_future(turn.run())
    stop = asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
    finally:
        turn.stopping = True
        for task in (work, stop):
            task.cancel()
        await asyncio.wait({work, stop})
    if not work.cancelled() and work.exception() is None:
        return work.result()  # it ended while it was being stopped
    turn.cancelled()
    return "cancelled"


def _with_system_prompt(messages: Sequence[Message], contract: Contract) -> list[Message]:
    """The contract's prompt first, in place of one that another model's contract put there."""
    rest = messages[1:] if messages and messages[0].role == "system" else messages
    return [Message("system", contract.system_prompt), *rest]


def _ignore(event: Event) -> None:
    """Nobody is watching."""
