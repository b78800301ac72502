"""What the loop needs of a model, and nothing more.

A conversation is a list of `Message`s whose text is in the contract's chat format. That text is the
whole truth: adapters for native tool calling translate to and from it, so a history made with one
model continues with another, and training data is the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from punie_agent.constrain import Alternative

__all__ = ["ChatModel", "Image", "Message", "ModelReply", "Role", "Usage"]

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a user attached; models that cannot see ignore it."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, in the contract's chat format."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model counts them, and the number of requests."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.requests + other.requests,
        )


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One answer of a model.

    `text` is in the contract's chat format (a native tool call has already been written as the
    contract's code block). `finish` is "length" when the answer was cut at `max_tokens`. `alternatives`
    are how else an edit in it could have gone on, where the model was constrained and says so.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    thought: str = ""
    finish: Literal["stop", "length"] = "stop"
    alternatives: tuple[Alternative, ...] = ()


@runtime_checkable
class ChatModel(Protocol):
    """Anything that continues a conversation.

    Attributes:
        name: what to call the model in messages, traces and reports.
        context_limit: tokens it can hold, None where that is not known.
    """

    name: str
    context_limit: int | None

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
    ) -> ModelReply:
        """Answer the conversation.

        Args:
            messages: the whole conversation, the system prompt first.
            on_text: called with each piece of the answer as it arrives, never with an empty one;
                the pieces together are `ModelReply.text`.
            on_thought: the same for reasoning.
            max_tokens: the longest answer wanted; None leaves it to the model.

        Raises:
            ModelUnavailableError: the model cannot be reached; the message says how to start it.
            ModelError: it answered with something that is not an answer.
        """
        ...
