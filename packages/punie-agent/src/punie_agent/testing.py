"""Models with a script, for tests without weights and without mocks.

`ScriptedModel` answers with what it was given, in order, and remembers every conversation it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from punie_agent.errors import ModelError
from punie_agent.models import Message, ModelReply, Usage

__all__ = ["ScriptedModel"]

Line = str | ModelReply | BaseException | Callable[[Sequence[Message]], str]


class ScriptedModel:
    """A chat model that follows a script.

    Args:
        script: the answers in order. A string or a `ModelReply` is given as it is, an exception is
            raised, a function is called with the conversation and returns the text.
        name: the model's name.
        latency: seconds that each answer takes (0: at once).
        repeat: start again at the end of the script in place of failing.

    Attributes:
        seen: the conversations it was asked to continue, in order.
    """

    def __init__(
        self,
        script: Iterable[Line],
        *,
        name: str = "scripted",
        latency: float = 0.0,
        repeat: bool = False,
        context_limit: int | None = None,
    ) -> None:
        self.name = name
        self.context_limit = context_limit
        self.seen: list[tuple[Message, ...]] = []
        self._script = list(script)
        self._latency = latency
        self._repeat = repeat

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,  # noqa: ARG002 - a script is not cut
    ) -> ModelReply:
        """Give the next answer of the script.

        Raises:
            ModelError: the script is over.
        """
        line = self._next_line(messages)
        if self._latency:
            await asyncio.sleep(self._latency)
        if isinstance(line, BaseException):
            raise line
        reply = line if isinstance(line, ModelReply) else ModelReply(line, _usage(messages, line))
        if reply.thought and on_thought is not None:
            on_thought(reply.thought)
        if on_text is not None:
            for start in range(0, len(reply.text), 16):
                on_text(reply.text[start : start + 16])
        return reply

    def _next_line(self, messages: Sequence[Message]) -> str | ModelReply | BaseException:
        number = len(self.seen)
        self.seen.append(tuple(messages))
        if self._repeat and self._script:
            number %= len(self._script)
        if number >= len(self._script):
            raise ModelError(
                f"the script of {self.name!r} has {len(self._script)} answers and is over"
            )
        line = self._script[number]
        return line if isinstance(line, (str, ModelReply, BaseException)) else line(messages)


def _usage(messages: Sequence[Message], text: str) -> Usage:
    """About four characters a token, as a stand-in for a tokenizer."""
    return Usage(sum(len(message.content) for message in messages) // 4, len(text) // 4 + 1, 1)
