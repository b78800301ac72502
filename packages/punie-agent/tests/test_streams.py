"""What a model's server streams is taken as it comes, and what cannot be taken is an error of the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from punie_agent.errors import ModelError
from punie_agent.models import Message, ModelReply, Usage
from punie_agent.models._openai import OpenAIModel

sys.path.insert(0, str(Path(__file__).parent))
from serving import chat_server, delta


async def streamed(*events: dict[str, Any] | str) -> ModelReply:
    """The answer of a server that streams these events."""
    async with chat_server() as server:
        server.events = events
        model = OpenAIModel(server.url, "tiny")
        try:
            return await model.reply([Message("user", "Hello")])
        finally:
            await model.aclose()


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\u2029\x1c\x0b\x0cb", "ünï\u2028😀"])
async def test_only_a_newline_ends_a_line_of_the_stream(text: str) -> None:
    event = json.dumps(delta(text, "stop"), ensure_ascii=False)
    assert (await streamed(f"data: {event}\r")).text == text


async def test_a_last_line_without_an_end_counts() -> None:
    event = json.dumps(delta(" there.", "stop"))
    assert (await streamed(delta("Hello", None), f"data: {event}")).text == "Hello there."


async def test_an_error_that_is_null_is_none() -> None:
    found = await streamed({"error": None, **delta("Hello", "stop")})
    assert found == ModelReply("Hello", Usage(requests=1))


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [{"delta": "text"}]},
        {"choices": [{"message": ["text"]}]},
        "data: {",
        f"data: {'[' * 100_000}",
    ],
)
async def test_an_event_of_another_form_is_an_error_of_the_model(
    event: dict[str, Any] | str,
) -> None:
    with pytest.raises(ModelError, match="sent a broken event"):
        await streamed(event, delta("Hello", "stop"))


async def test_halves_of_a_character_are_joined_and_one_alone_is_replaced() -> None:
    events = [delta("a \ud83d", None), delta("\ude00 b \ud83d", None), delta("c", "stop")]
    spelt = [f"data: {json.dumps(each)}" for each in events]
    assert (await streamed(*spelt)).text == "a 😀 b \ufffdc"


async def test_an_address_that_is_none_is_an_error_of_the_model() -> None:
    model = OpenAIModel("http://localhost:abc/v1", "tiny")
    with pytest.raises(ModelError, match="no model server answers at http://localhost:abc/v1"):
        await model.reply([Message("user", "Hello")])
    await model.aclose()
