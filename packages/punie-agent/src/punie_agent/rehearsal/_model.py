"""A chat model whose edits are tried on a copy of the workspace before one of them is acted on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from punie_agent.constrain import constrained_if_trained
from punie_agent.errors import ModelError
from punie_agent.models import Message, ModelReply, Usage
from punie_agent.rehearsal._ahead import Ahead
from punie_agent.rehearsal._edit import texts_in
from punie_agent.rehearsal._search import Search
from punie_agent.rehearsal._trial import Outcome, can_be_tried, outcome_of, repairs
from punie_tools import LocalHost, ToolsError

if TYPE_CHECKING:
    from punie_agent.contract import Contract
    from punie_agent.models import ChatModel
    from punie_tools import Host

__all__ = ["ATTEMPTS", "Varying", "kept_and_rehearsed", "rehearsed"]

ATTEMPTS = 12
"""How many replies are tried for one, the first included."""
_LONGER_BY = 48
"""Tokens by which another version of an edit may be longer: of one that never ends nothing is to be had."""
_MOST_FILES = 4
_GIVEN_UP = (
    "I could not repair this. I tried {count} edits on a copy of the workspace, and with none of them the "
    "check finds less, so nothing more was changed."
)


@runtime_checkable
class Varying(Protocol):
    """A chat model that says how else a reply could have gone on, and can be asked to go on so."""

    name: str
    context_limit: int | None
    takes_start: bool

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        start: str = "",
    ) -> ModelReply:
        """Answer the conversation with a reply that begins so; see `ChatModel.reply`."""
        ...


def rehearsed(
    model: ChatModel,
    contract: Contract,
    host: Host,
    *,
    host_at: Callable[[Path], Host] = LocalHost,
    attempts: int = ATTEMPTS,
) -> ChatModel:
    """A model that answers like this one, but whose edits are tried before one of them is acted on.

    Where a reply writes files and checks them, its program runs on a copy of the workspace. If it fails
    there, or the check finds as much as before, the model is asked for another reply; the first that is
    better is the answer, or else the best of all. Only where what is tried repairs what the program before
    found, and nothing does, the answer says so in words and nothing is written. A model that cannot be
    asked for other replies is left as it is. One with an attribute `idle_places` is asked for as many at once
    as that says it can write at next to no cost.

    Nothing of the workspace's code runs in a rehearsal, and nothing outside the copy is written: programs
    that run commands or tests are answered as they are.

    Args:
        model: who answers, `constrained`.
        contract: how it is spoken to.
        host: the workspace's host.
        host_at: makes the host of a copy's folder.
        attempts: the most replies that are tried for one, the first included.
    """
    able = isinstance(model, Varying) and model.takes_start
    if not able or attempts < 2 or contract.call_format != "fenced":
        return model
    return _Rehearsed(model, contract, host, host_at, attempts)


def kept_and_rehearsed(
    model: ChatModel, contract: Contract, host: Host, *, rehearse: bool = True
) -> ChatModel:
    """The model as a person's turns want it.

    One that was trained with a contract is kept to it and to the project's paths, and its edits are
    rehearsed unless that is not wanted. Any other model is left as it is.
    """
    kept = constrained_if_trained(model, contract, host.roots[0])
    return rehearsed(kept, contract, host) if rehearse else kept


class _Rehearsed:
    """Tries replies; everything else is the model's own."""

    name: str
    context_limit: int | None

    def __init__(
        self,
        model: Varying,
        contract: Contract,
        host: Host,
        host_at: Callable[[Path], Host],
        attempts: int,
    ) -> None:
        self._model = model
        self._contract = contract
        self._host = host
        self._host_at = host_at
        self._attempts = attempts
        self._in_vain: tuple[Message, ...] = ()  # the conversation in which no attempt went well

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
    ) -> ModelReply:
        """Answer; see `ChatModel.reply`. What is said before a program is reported as it comes."""
        shown = _UntilCode(on_text)
        first = await self._model.reply(
            messages, on_text=shown.feed, on_thought=on_thought, max_tokens=max_tokens
        )
        found = await self._outcome(first, messages)
        if found is None or found.good:
            shown.finish(first.text)
            return first
        written = first.usage.output_tokens
        longest = written + _LONGER_BY if written else max_tokens
        search = await self._search(first, found, messages, longest)
        good, text = search.outcome.good, search.best.text
        if on_thought is not None:
            end = "the last one passes its check" if good else "none passes its check"
            on_thought(f"Tried {search.judged} versions of this edit on a copy: {end}.\n")
        if not good and self._repairs(first, messages):
            text = shown.passed + _GIVEN_UP.format(count=search.judged)
        elif not good:
            self._in_vain = tuple(messages)
        shown.finish(text)
        return replace(
            search.best, text=text, usage=_as_one([reply.usage for reply in search.given])
        )

    async def _search(
        self, first: ModelReply, outcome: Outcome, messages: Sequence[Message], longest: int | None
    ) -> Search:
        """Look for a reply that goes well; what was found when the model fails must do."""
        search = Search(
            first,
            outcome,
            ahead=Ahead(
                lambda start: self._model.reply(messages, max_tokens=longest, start=start),
                lambda: getattr(self._model, "idle_places", 1),
            ),
            judge=lambda reply: self._outcome(reply, messages),
            code_of=lambda text: self._contract.parse(text).code,
            said=[each.content for each in messages],
            files=await self._files_in(self._contract.parse(first.text).code),
            attempts=self._attempts,
        )
        with contextlib.suppress(ModelError):
            await search.run()
        return search

    async def _outcome(self, reply: ModelReply, messages: Sequence[Message]) -> Outcome | None:
        """What the reply's program would lead to; None where that cannot be tried."""
        code = self._contract.parse(reply.text).code
        if code is None or self._is_given_up(messages):
            return None
        earlier = [each for each in map(self._code, messages) if each is not None]
        if not can_be_tried(code, self._contract.functions.names, earlier):
            return None
        return await outcome_of(code, self._contract, self._host, self._host_at)

    async def _files_in(self, code: str | None) -> list[str]:
        """The texts of the files that a program names."""
        found = []
        for path in texts_in(code or "")[:_MOST_FILES]:
            with contextlib.suppress(ToolsError, OSError, ValueError):
                found.append(await self._host.read_text(path))
        return found

    def _repairs(self, reply: ModelReply, messages: Sequence[Message]) -> bool:
        """True where the reply's program answers to what the one just before it found."""
        code = self._contract.parse(reply.text).code
        before = self._code(messages[-2]) if len(messages) > 1 else None
        if code is None or before is None:
            return False
        return repairs(code, before, self._contract.functions.names)

    def _is_given_up(self, messages: Sequence[Message]) -> bool:
        """True while the model goes on about what it was asked when no attempt went well."""
        known = len(self._in_vain)
        if not known or len(messages) == known or tuple(messages[:known]) != self._in_vain:
            return False
        later = [each for each in messages[known:] if each.role == "assistant"]
        return all(self._code(each) is not None for each in later)

    def _code(self, message: Message) -> str | None:
        """The program in a message of the model's."""
        return self._contract.parse(message.content).code if message.role == "assistant" else None


class _UntilCode:
    """Passes a reply on up to its first fence; the rest may become another."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self._on_text = on_text
        self._text = ""
        self._passed = 0

    @property
    def passed(self) -> str:
        """What was passed on."""
        return self._text[: self._passed]

    def feed(self, piece: str) -> None:
        """Take a piece of the first reply."""
        self._text += piece
        fence = self._text.find("``")
        sure = fence if fence >= 0 else len(self._text.rstrip("`"))
        self._pass_on(self._text, sure)

    def finish(self, text: str) -> None:
        """Pass on what is left of the reply that was chosen."""
        self._pass_on(text, len(text))

    def _pass_on(self, text: str, end: int) -> None:
        if self._on_text is not None and end > self._passed:
            self._on_text(text[self._passed : end])
        self._passed = max(self._passed, end)


def _as_one(usages: Sequence[Usage]) -> Usage:
    """All tokens, and the requests of the first reply: the others take no step of the turn."""
    total = sum(usages, start=Usage())
    return Usage(total.input_tokens, total.output_tokens, usages[0].requests)
