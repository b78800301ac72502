"""Making room in a conversation that fills the model's context, without asking a model to do it.

First the printed output of older runs is cut to its beginning and end, which is where most of the room
goes. If that is not enough, whole exchanges are left out from the front, after the user's first message,
with a note in their place. The system prompt, the first request and the newest messages always stay; where
those alone are too long, the output in them is cut as well, the newest last and no more than it must be.
"""

from __future__ import annotations

from collections.abc import Sequence

from punie_agent.contract._output import clip
from punie_agent.models import Message

__all__ = ["compact", "estimate_tokens"]

_CHARACTERS_PER_TOKEN = 3.5  # code and paths take more tokens than prose
_PER_MESSAGE = 6  # the chat template's own tokens
_PER_IMAGE = 1_000
_NEWEST = 4
_KEPT_OUTPUT = 400
_PER_CUT = 100
"""Characters for the note that something was cut, and for what stands around the output."""
_NOTE = "(Earlier messages were left out to make room.)"


def estimate_tokens(messages: Sequence[Message]) -> int:
    """About how many tokens a conversation takes; rather too many than too few."""
    return sum(
        int(len(each.content) / _CHARACTERS_PER_TOKEN)
        + _PER_MESSAGE
        + _PER_IMAGE * len(each.images)
        for each in messages
    )


def compact(messages: Sequence[Message], limit: int) -> list[Message]:
    """The same conversation in at most `limit` tokens (estimated), or as near as its newest part allows."""
    kept = list(messages)
    if estimate_tokens(kept) <= limit:
        return kept
    kept = [
        _shortened(message) if 1 < number < len(kept) - _NEWEST else message
        for number, message in enumerate(kept)
    ]
    start = 2  # system prompt and first request
    while estimate_tokens(kept) > limit and len(kept) - start > _NEWEST:
        end = _next_answer(kept, start)
        if len(kept) - end < _NEWEST:
            break
        kept = [*kept[:start], *kept[end:]]
    kept = _newest_shortened(kept, limit)
    if len(kept) < len(messages):
        kept[1] = Message("user", f"{_without_note(kept[1].content)}\n\n{_NOTE}", kept[1].images)
    return kept


def _newest_shortened(messages: Sequence[Message], limit: int) -> list[Message]:
    """Cut the output in the newest messages where nothing else is left to cut.

    A conversation that stays too long is refused by the model's server, at this turn and at all later ones.
    """
    kept = list(messages)
    for number in range(2, len(kept)):
        over = int((estimate_tokens(kept) - limit) * _CHARACTERS_PER_TOKEN)
        if over <= 0:
            break
        room = len(kept[number].content) - over - _PER_CUT
        kept[number] = _shortened(kept[number], max(room, _KEPT_OUTPUT))
    return kept


def _shortened(message: Message, most: int = _KEPT_OUTPUT) -> Message:
    if message.role == "user" and message.content.startswith("```") and len(message.content) > most:
        head, _, body = message.content.partition("\n")
        return Message("user", f"{head}\n{clip(body, most)}", message.images)
    return message


def _next_answer(messages: Sequence[Message], start: int) -> int:
    """Where the next exchange begins: the conversation goes on with an assistant message there."""
    end = start + 1
    while end < len(messages) and messages[end].role != "assistant":
        end += 1
    return end


def _without_note(text: str) -> str:
    return text.removesuffix(_NOTE).rstrip()
