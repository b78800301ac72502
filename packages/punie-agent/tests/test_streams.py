"""What a model's server streams is taken as it comes, and what cannot be taken is an error of the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from punie_agent.contract import Contract
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


async def test_an_answer_may_end_with_the_end_mark_alone() -> None:
    assert (await streamed(delta("Hello"), "data: [DONE]")).text == "Hello"


async def test_an_answer_that_is_not_streamed_is_an_answer() -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Hello"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    assert await streamed(json.dumps(whole, indent=2)) == ModelReply("Hello", Usage(3, 1, 1))


async def test_an_error_in_place_of_a_stream_is_quoted() -> None:
    with pytest.raises(ModelError, match=r"the model server reports: .*context is too long"):
        await streamed(json.dumps({"error": {"message": "the context is too long"}}))


async def test_the_whole_message_at_the_end_of_its_stream_is_not_said_twice() -> None:
    last = {"choices": [{"delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}]}
    assert (await streamed(delta("Hello"), last)).text == "Hello"


async def test_text_in_parts_is_text() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "other"}, {"type": "text", "text": "lo"}]
    event = {"choices": [{"delta": {"content": parts}, "finish_reason": "stop"}]}
    assert (await streamed(event)).text == "Hello"


async def test_a_call_that_the_server_took_out_of_the_text_is_one_to_be_read(
    contract: Contract,
) -> None:
    def called(**function: str) -> dict[str, Any]:
        return delta(tool_calls=[{"index": 0, "function": function}])

    reply = contract.parse(
        (
            await streamed(
                delta("I read it."),
                called(name="read_file", arguments=""),
                called(arguments='{"path": '),
                called(arguments='"app.py"}'),
                delta(None, "tool_calls"),
            )
        ).text
    )
    assert (reply.text, reply.code) == ("I read it.", "print(read_file(path='app.py'))")


async def test_what_is_said_to_this_machine_goes_through_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")  # an address that nobody has
    assert (await streamed(delta("Hello", "stop"))).text == "Hello"
