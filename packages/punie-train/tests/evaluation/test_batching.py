"""Replies that are generated together are those that each conversation would get alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from punie_agent.errors import ModelError as AgentModelError
from punie_agent.models import ChatModel, Message
from punie_train.errors import ModelError
from punie_train.evaluation.batching import BatchedModel
from punie_train.evaluation.decoding import is_stuck

CONVERSATIONS = [
    [
        Message("system", "You are a clock. " * length),
        Message("user", f"What time is it in {place}?"),
    ]
    for length, place in ((1, "Oslo"), (6, "Lima"), (2, "Ulaanbaatar at noon"), (6, "Rome"))
]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Iterator[BatchedModel]:
    with BatchedModel(tiny_model, max_tokens=12, batch=4) as loaded:
        yield loaded


async def test_replies_together_equal_replies_alone(model: BatchedModel) -> None:
    together = await asyncio.gather(*(model.reply(messages) for messages in CONVERSATIONS))
    alone = [await model.reply(messages) for messages in CONVERSATIONS]

    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert all(1 <= reply.usage.output_tokens <= 12 for reply in together)


async def test_a_conversation_that_goes_on_equals_one_that_starts_there(
    model: BatchedModel, tiny_model: Path
) -> None:
    first = await model.reply(CONVERSATIONS[0])
    longer = [*CONVERSATIONS[0], Message("assistant", first.text), Message("user", "And now?")]
    with BatchedModel(tiny_model, max_tokens=12, batch=1) as fresh:
        expected = await fresh.reply(longer)

    assert (await model.reply(longer)).text == expected.text


async def test_a_reply_is_cut_at_its_limit(model: BatchedModel) -> None:
    reply = await model.reply(CONVERSATIONS[1], max_tokens=3)

    assert reply.usage.output_tokens <= 3
    assert reply.finish == "length" or reply.usage.output_tokens < 3


async def test_the_text_is_reported(model: BatchedModel) -> None:
    heard: list[str] = []

    reply = await model.reply(CONVERSATIONS[1], on_text=heard.append)

    assert "".join(heard) == reply.text


async def test_more_conversations_than_places_are_all_answered(model: BatchedModel) -> None:
    replies = await asyncio.gather(
        *(model.reply([Message("user", f"number {n}")], max_tokens=2) for n in range(11))
    )

    assert len(replies) == 11


async def test_a_few_places_are_idle_until_they_are_asked_for(model: BatchedModel) -> None:
    asked = [asyncio.create_task(model.reply(messages)) for messages in CONVERSATIONS]
    before = model.idle_places
    await asyncio.sleep(0)  # lets them begin
    meanwhile = model.idle_places
    await asyncio.gather(*asked)

    assert (before, meanwhile, model.idle_places) == (4, 0, 4)


async def test_who_gives_up_stops_nobody_else(model: BatchedModel) -> None:
    expected = await model.reply(CONVERSATIONS[1])
    given_up = [asyncio.create_task(model.reply(CONVERSATIONS[0])) for _ in range(6)]
    await asyncio.sleep(0.01)
    for task in given_up:
        task.cancel()

    assert await model.reply(CONVERSATIONS[1]) == expected


async def test_a_conversation_that_does_not_fit_is_refused(model: BatchedModel) -> None:
    with pytest.raises(AgentModelError, match="holds 4096 tokens"):
        await model.reply([Message("user", "word " * 5000)])


async def test_a_closed_model_says_so(tiny_model: Path) -> None:
    model = BatchedModel(tiny_model)
    model.close()
    model.close()

    with pytest.raises(AgentModelError, match="has been closed"):
        await model.reply(CONVERSATIONS[0])


def test_a_reply_that_goes_round_in_a_circle_is_stuck() -> None:
    assert is_stuck([7] * 96)
    assert is_stuck([1, 2, 3] + [4, 5, 6, 7, 8] * 25)
    assert not is_stuck([7] * 95)
    assert not is_stuck(list(range(96)))
    assert not is_stuck(list(range(48)) * 2)


def test_it_is_a_chat_model(model: BatchedModel) -> None:
    assert isinstance(model, ChatModel)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model"):
        BatchedModel(tmp_path)
