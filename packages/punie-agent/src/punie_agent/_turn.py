"""One turn in progress: its conversation, its budget, and the steps it is made of."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from punie_agent._compaction import compact
from punie_agent._notice import notice_of, went_through
from punie_agent._watch import CodeWatch
from punie_agent.contract import ProseStream
from punie_agent.errors import ModelError
from punie_agent.events import (
    CodeFinished,
    CodeStarted,
    Compacted,
    Notice,
    OnEvent,
    Retried,
    TextDelta,
    ThoughtDelta,
    UsageReport,
)
from punie_agent.models import Message, ModelReply, Usage
from punie_agent.paused import decided, lost, paused_at, resumed, run_afresh, waiting
from punie_agent.planning import run_planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.contract import Contract, Reply
    from punie_agent.loop import StopReason, TurnLimits
    from punie_agent.models import ChatModel
    from punie_agent.paused import PausedRun
    from punie_agent.permissions import Permissions
    from punie_sandbox import Call, RunResult, Sandbox

__all__ = ["RETRIES", "Turn"]

_NUDGE = "Your message was empty. Answer in plain text, or act with a code block."
_TOO_LONG = "Your message was cut off because it was too long, so nothing ran. Write shorter code."
RETRIES = frozenset({_NUDGE, _TOO_LONG})
"""What the model is told in the user's place when it is asked again."""
_REPEATED = "You ran exactly this before, with the same output. Answer in plain text now."
_GIVE_UP = "The code failed several times. Answer in plain text now, without code."
_PATIENCE = 2
_PAUSE_SECONDS = 0.5
_CANCELLED = "(cancelled by the user)"
_NO_ANSWER = "(no answer)"


class Turn:
    """The state of one turn. `run` goes through it; `cancelled` closes it when it was stopped."""

    def __init__(
        self,
        *,
        model: ChatModel,
        contract: Contract,
        sandbox: Sandbox,
        messages: Sequence[Message],
        emit: OnEvent,
        limits: TurnLimits,
        permissions: Permissions | None = None,
        paused: PausedRun | None = None,
    ) -> None:
        self._model = model
        self._contract = contract
        self._sandbox = sandbox
        self._emit = emit
        self._limits = limits
        self._permissions = permissions
        self.paused = paused
        self._code_ids = (f"code-{len(messages)}-{number}" for number in itertools.count(1))
        self._stream: ProseStream | None = None
        self._watch: CodeWatch | None = None
        self._failures = 0
        self.messages = list(messages)
        self.runs: list[RunResult] = []
        self.usage = Usage()
        self.final_text = ""
        self.notice = ""
        self.cut_off = False
        self.stopping = False

    async def run(self) -> StopReason:
        """Go through the turn to its end, and say what a person must know besides the model's words."""
        try:
            reason = await self._steps()
        except ModelError as error:
            self._failed(error)
            raise
        self.notice = notice_of(self.runs, cut_off=self.cut_off, stop_reason=reason)
        if self.notice:
            self._emit(Notice(self.notice))
        return reason

    def _failed(self, error: ModelError) -> None:
        """Keep what was done before the model failed: files were written that it must know of later."""
        if self.runs:
            self.messages.append(Message("assistant", _NO_ANSWER))
            error.conversation = tuple(self.messages)

    async def _steps(self) -> StopReason:
        """Ask, act, tell, until the model answers without code or a limit is reached."""
        if self.paused is not None and not await self._take_up(self.paused):
            return "paused"
        empty = 0
        while (
            self.usage.requests < self._limits.requests
            and not self._budget_spent()
            and empty <= self._limits.failures
        ):
            answer = await self._ask()
            reply = self._contract.parse(answer.text)
            if answer.finish == "length" and reply.open_ended:
                self._cut_short(reply)
                if self._failures > self._limits.failures:
                    return "max_tokens"
                continue
            self._show_rest(reply)
            if reply.code is None:
                if reply.text:
                    self._say(reply.text)
                    return "max_tokens" if answer.finish == "length" else "end_turn"
                empty += 1
                self._retry(_NUDGE, "the model's message was empty")
            elif self._failures > self._limits.failures:
                self._say(reply.text or "The code failed several times.")
                return "end_turn"
            elif not await self._act(reply):
                return "paused"
            else:
                empty = 0
        return "max_turn_requests"

    def _cut_short(self, reply: Reply) -> None:
        """Run nothing of a call that did not arrive whole, and tell the model so."""
        assert self._stream is not None
        # Of a call that had hardly begun, the stream knows what was prose: it held the call back.
        said = reply.text if reply.acts else self._stream.shown.strip()
        self._show_rest(replace(reply, text=said))
        self._say(said)
        self.cut_off = True
        self._retry(_TOO_LONG, "the model's code was cut off")

    def cancelled(self) -> None:
        """Close what was open when the turn was stopped, so that the conversation can go on."""
        if self._watch is not None:
            self._watch.close(None)
            self._emit(CodeFinished(self._watch.code_id, None))
            self._watch = None
            self.messages.append(Message("user", f"Stopped: {_CANCELLED}"))
        said = self._stream.shown.strip() if self._stream is not None else ""
        self._say(f"{said}\n{_CANCELLED}".strip())

    def _unless_stopped(self) -> None:
        """Take no further step of a turn that was stopped.

        A cancel can get lost: where the run that it reaches crashes just then, as a worker does that the same
        Ctrl-C of the terminal ends.
        """
        if self.stopping:
            raise asyncio.CancelledError

    async def _ask(self) -> ModelReply:
        self._unless_stopped()
        self._make_room()
        answer = await self._answer()
        spent = answer.usage if answer.usage.requests else answer.usage + Usage(requests=1)
        self.usage += spent
        held = answer.usage.input_tokens + answer.usage.output_tokens
        self._emit(UsageReport(self.usage, held or None, self._model.context_limit))
        return answer

    async def _answer(self) -> ModelReply:
        """One answer of the model; a passing trouble is tried again while nothing has been shown."""
        for attempt in itertools.count(1):
            self._stream = ProseStream(self._contract.tools)
            try:
                return await self._model.reply(
                    self.messages,
                    on_text=self._on_text,
                    on_thought=lambda text: self._emit(ThoughtDelta(text)),
                    max_tokens=self._limits.reply_tokens,
                )
            except ModelError as error:
                if not error.transient or attempt > _PATIENCE or self._stream.shown:
                    raise
                self._emit(Retried(str(error)))
                await asyncio.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("the loop above only ends by returning or raising")

    def _make_room(self) -> None:
        """Shorten the conversation before it fills the model's context."""
        limit = self._model.context_limit
        if limit is None:
            return
        before = len(self.messages)
        room = max(limit - (self._limits.reply_tokens or min(1024, limit // 4)), limit // 2)
        kept = compact(self.messages, room)
        if kept != self.messages:
            self.messages = kept
            self._emit(Compacted(before, len(kept)))

    def _on_text(self, piece: str) -> None:
        assert self._stream is not None
        prose = self._stream.feed(piece)
        if prose:
            self._emit(TextDelta(prose))

    def _show_rest(self, reply: Reply) -> None:
        assert self._stream is not None
        rest = self._stream.finish(reply)
        self._stream = None
        if rest:
            self._emit(TextDelta(rest))

    async def _act(self, reply: Reply) -> bool:
        """Run the code of a reply; False when it waits for a decision."""
        self._unless_stopped()
        assert reply.code is not None
        code_id = next(self._code_ids)
        call = self._contract.format_call(reply.code)
        self._say(f"{reply.text}\n\n{call}" if reply.text else call)
        self._emit(CodeStarted(code_id, reply.code))
        result, note = await self._run(code_id, reply.code)
        if result.status == "pending":
            self.paused = paused_at(code_id, result)
            return False
        self.messages.append(Message("user", self._told(result, note)))
        return True

    def _told(self, result: RunResult, note: str = "") -> str:
        """What the model hears of a run."""
        repeated = bool(self.runs) and _same(self.runs[-1], result)
        # Check, edit, check, edit, as before each time: a circle has any number of steps.
        known = any(_same(each, result) for each in self.runs)
        self.runs.append(result)
        told = f"{self._contract.format_result(result)}\n{note}".rstrip()
        self.cut_off = False
        self._failures = self._failures + 1 if known or not went_through(result) else 0
        if repeated and result.ok:
            told = f"{told}\n{_REPEATED}"
        if self._failures > self._limits.failures:
            told = f"{told}\n{_GIVE_UP}"
        return told

    async def _take_up(self, paused: PausedRun) -> bool:
        """Ask again about a paused run and let it go on; False when it goes on waiting."""
        result, note = await self._continued(paused)
        if result is None:
            return False
        if result.status == "pending":
            self.paused = paused_at(paused.code_id, result)
            return False
        self.paused = None
        last_call = max(
            (number for number, each in enumerate(self.messages) if each.role == "assistant"),
            default=0,
        )
        self.messages.insert(last_call + 1, Message("user", self._told(result, note)))
        return True

    async def _continued(self, paused: PausedRun) -> tuple[RunResult | None, str]:
        """Let a paused run go on as its signed bytes have it; no result when it goes on waiting."""
        from punie_sandbox import SnapshotError

        try:
            code, call = waiting(self._sandbox, paused)
        except SnapshotError as error:
            result = lost(error)
            self._emit(CodeStarted(paused.code_id, result.code))
            self._emit(CodeFinished(paused.code_id, result))
            return result, ""
        self._emit(CodeStarted(paused.code_id, code))
        if call is None:
            return await self._run(paused.code_id, code)
        return await self._resume(paused, code, call), ""

    async def _resume(self, paused: PausedRun, code: str, call: Call) -> RunResult | None:
        result = None
        self._watch = CodeWatch(paused.code_id, self._emit)
        with self._watch:
            decision = await decided(call, self._permissions)
            if decision.action != "ask":
                self.paused = None  # it may have effects from here on, so it never goes on twice
                result = await resumed(self._sandbox, paused, code, decision)
        self._watch.close(result)
        self._watch = None
        self._emit(CodeFinished(paused.code_id, result))
        return result

    async def _run(self, code_id: str, code: str) -> tuple[RunResult, str]:
        """Run the code; returns the result, and a note for the model."""
        self._watch = CodeWatch(code_id, self._emit)
        with self._watch:
            if self._plans():
                assert self._permissions is not None
                result, note = await run_planned(
                    self._sandbox, code, code_id=code_id, permissions=self._permissions
                )
            else:
                result, note = await run_afresh(self._sandbox, code), ""
        self._watch.close(result)
        self._watch = None
        self._emit(CodeFinished(code_id, result))
        return result, note

    def _plans(self) -> bool:
        planning = self._permissions is not None and self._permissions.mode == "plan"
        return planning and self._sandbox.preview is not None

    def _say(self, text: str) -> None:
        """The model said this; the last thing without code is the turn's answer."""
        if not text:
            return
        self.messages.append(Message("assistant", text))
        self.final_text = self._contract.parse(text).text

    def _retry(self, told: str, reason: str) -> None:
        self._failures += 1
        if self.messages[-1].role == "user":
            self.messages.append(Message("assistant", _NO_ANSWER))
        self.messages.append(Message("user", told))
        self._emit(Retried(reason))

    def _budget_spent(self) -> bool:
        limit = self._limits.total_tokens
        return limit is not None and self.usage.input_tokens + self.usage.output_tokens >= limit


def _same(earlier: RunResult, later: RunResult) -> bool:
    """True when the same code did the same: a small model going round in a circle."""
    return (earlier.code, earlier.stdout, earlier.status) == (
        later.code,
        later.stdout,
        later.status,
    )
