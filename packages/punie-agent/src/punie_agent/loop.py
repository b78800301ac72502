"""The agent loop, the only one: ask the model, run the code it wrote, tell it what came out.

It is used by `punie ask`, the ACP server, the generation of training data and the evaluation. It
knows no terminal, no editor and no storage; it reports through events and returns values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from punie_sandbox import RunResult, Sandbox

    from punie_agent.contract import Contract
    from punie_agent.events import OnEvent
    from punie_agent.models import ChatModel, Message, Usage
    from punie_agent.permissions import Permissions

__all__ = ["StopReason", "TurnLimits", "TurnResult", "run_turn"]

StopReason = Literal["end_turn", "max_tokens", "max_turn_requests", "cancelled"]


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Bounds of one turn.

    Attributes:
        requests: model requests in one turn.
        failures: code calls in a row that may fail before the model is told to answer without code.
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
    """

    messages: tuple[Message, ...]
    final_text: str
    runs: tuple[RunResult, ...]
    stop_reason: StopReason
    usage: Usage


async def run_turn(
    *,
    model: ChatModel,
    contract: Contract,
    sandbox: Sandbox,
    messages: Sequence[Message],
    on_event: OnEvent | None = None,
    limits: TurnLimits | None = None,
    permissions: Permissions | None = None,
    cancel: asyncio.Event | None = None,
) -> TurnResult:
    """Run one turn: from the user's message to the model's final answer.

    Args:
        model: who answers.
        contract: how the model is spoken to; its system prompt is put first when missing.
        sandbox: where the code runs.
        messages: the conversation so far; the last one is the user's.
        on_event: told everything as it happens.
        limits: bounds; the defaults suit a person waiting.
        permissions: only its mode matters here ("plan" runs code on an overlay first). Calls are
            decided by the sandbox's policy, which is normally the same object.
        cancel: when set, the turn ends soon with `stop_reason="cancelled"`, everything done so far
            kept. Nothing is reported after that.

    Raises:
        ModelError: the model cannot answer. What was done before is in the events.
    """
    raise NotImplementedError
