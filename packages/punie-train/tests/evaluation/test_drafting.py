"""A draft changes what a reply costs, never what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.models.cache import make_prompt_cache

from punie_agent.constrain import Constraint, Deviation, TokenTexts, logits_processor
from punie_agent.constrain._rules import Rules, Tool
from punie_agent.constrain._words import Words
from punie_agent.models import Message
from punie_train.evaluation.batching import BatchedModel
from punie_train.evaluation.decoding import (
    GUESSED_TOKENS,
    SAME_TOKENS,
    STUCK_TOKENS,
    Batch,
    Reply,
    guessed,
)
from punie_train.evaluation.drafting import (
    FIRST_TOKENS,
    JOINED_TOKENS,
    PROMPT_TOKENS,
    Drafts,
    begin,
)
from punie_train.mlx import mx
from punie_train.models.loading import LoadedModel, load_for_inference

VOCABULARY = 1024
LIMIT = 3 * FIRST_TOKENS
PROMPT = [5, 80, 300, 7, 41, 900, 12]
RULES = Rules(
    {"typecheck": Tool(("path",))}, {}, Words(["src/actions/", "tests/test_app.py"]), fresh=False
)
IN_THE_CALL = Constraint(RULES, begun='```python\ntypecheck("')


class Counted:
    """A model that counts how often it is asked, and about how many tokens."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.lengths: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, tokens: Any, *, cache: Any) -> Any:
        """Compute, and count."""
        self.lengths.append(tokens.shape[1])
        return self.model(tokens, cache=cache)


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> LoadedModel:
    return load_for_inference(tiny_model)


@pytest.fixture(scope="module")
def write(loaded: LoadedModel) -> Callable[..., Reply]:
    """Write a reply to the prompt, from a draft or without."""

    def written(
        draft: Sequence[int] = (), *, constraint: Constraint | None = None, **changes: Any
    ) -> Reply:
        model = changes.pop("model", loaded.model)
        ends = frozenset(changes.pop("ends", loaded.tokenizer.eos_token_ids))
        reply = Reply(PROMPT, changes.pop("limit", LIMIT), ends, changes.pop("keep", None))
        reply.others = changes.pop("others", ())
        if constraint is not None:
            texts = TokenTexts.of(loaded.tokenizer)
            assert texts is not None
            reply.keep = logits_processor(constraint, texts)
        cache = make_prompt_cache(loaded.model)
        begin(model, cache, PROMPT, reply, draft)
        assert cache[0].offset == len(reply.seen)
        batch = Batch(model)
        if reply.finish is None:
            batch.join(reply, cache)
        while batch.replies:
            for _, left in batch.step():
                assert left[0].offset == len(reply.seen)
        return reply

    return written


def test_a_wrong_draft_changes_nothing(write: Callable[..., Reply]) -> None:
    plain = write()
    right = plain.written
    drafts = [
        [1, 2, 3],
        right[::-1],
        right[:5],
        [*right[:20], (right[20] + 1) % VOCABULARY, *right[21:]],
        [*right[:7], *right[8:]],
        [*right, 4, 5, 6],
    ]
    for draft in drafts:
        reply = write(draft)
        assert (reply.written, reply.finish) == (right, plain.finish)


def test_a_right_draft_needs_no_decoding(write: Callable[..., Reply], loaded: LoadedModel) -> None:
    """A short prompt and the draft in passes of many tokens; not one pass for a single token."""
    right = write().written
    assert len(right) == LIMIT
    counted = Counted(loaded.model)
    assert write(right, model=counted).written == right
    assert counted.lengths == [len(PROMPT) + FIRST_TOKENS, LIMIT - FIRST_TOKENS]


def test_the_end_of_a_long_prompt_comes_with_the_first_tokens(loaded: LoadedModel) -> None:
    prompt = [number % VOCABULARY for number in range(300)]
    counted = Counted(loaded.model)
    reply = Reply(prompt, LIMIT, frozenset())
    begin(counted, make_prompt_cache(loaded.model), prompt, reply)
    assert counted.lengths == [PROMPT_TOKENS, 300 - JOINED_TOKENS - PROMPT_TOKENS, JOINED_TOKENS]
    assert len(reply.written) == 1


def test_a_right_draft_ends_where_the_model_ends(write: Callable[..., Reply]) -> None:
    """The draft does not hold the token that ends the reply; the pass over it shows that it comes next."""
    right = write().written
    end = right[10]
    before = right[: right.index(end)]
    for draft in ([], before, right):
        reply = write(draft, ends=[end])
        assert (reply.written, reply.finish) == (before, "stop")


def test_a_draft_is_cut_at_the_limit(write: Callable[..., Reply]) -> None:
    right = write().written
    reply = write(right, limit=9)
    assert (reply.written, reply.finish) == (right[:9], "length")


def test_a_reply_in_a_circle_ends_at_the_same_place(write: Callable[..., Reply]) -> None:
    plain = write(limit=400, ends=[], keep=in_a_circle)
    assert (len(plain.written), plain.finish) == (STUCK_TOKENS, "length")
    for draft in (plain.written, plain.written * 2, plain.written[:90]):
        assert write(draft, limit=400, ends=[], keep=in_a_circle).written == plain.written


def in_a_circle(tokens: mx.array, logits: mx.array) -> mx.array:
    """Allow one token of five after each."""
    allowed = mx.arange(logits.shape[-1]) == (tokens[-1] + 1) % 5
    return mx.where(allowed, logits, -mx.inf)


def test_a_constrained_reply_is_the_same_with_a_draft(write: Callable[..., Reply]) -> None:
    free = write().written
    held = write(constraint=IN_THE_CALL).written
    assert held != free
    for draft in (held, free, held[:6], [*held[:4], *free[4:]]):
        assert write(draft, constraint=IN_THE_CALL).written == held


@given(
    kept=st.integers(0, LIMIT),
    then=st.lists(st.integers(0, VOCABULARY - 1), max_size=LIMIT),
    like=st.integers(0, LIMIT),
    held=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_no_draft_and_no_other_reply_changes_a_reply(
    write: Callable[..., Reply], kept: int, then: list[int], like: int, held: bool
) -> None:
    constraint = IN_THE_CALL if held else None
    right = write(constraint=constraint)
    others = [right.written, [*right.written[:like], *then]]
    reply = write([*right.written[:kept], *then], constraint=constraint, others=others)
    assert (reply.written, reply.finish) == (right.written, right.finish)


def test_what_another_reply_said_is_looked_at_in_one_pass(
    write: Callable[..., Reply], loaded: LoadedModel
) -> None:
    right = write().written
    counted = Counted(loaded.model)
    other = [VOCABULARY - 1, *right[1:]]
    assert write([], model=counted, others=[other]).written == right
    longest = 1 + GUESSED_TOKENS
    assert counted.lengths[: SAME_TOKENS + 2] == [len(PROMPT), *[1] * SAME_TOKENS, longest]
    assert len(counted.lengths) <= SAME_TOKENS + 2 + (LIMIT - SAME_TOKENS) // longest


def test_what_the_reply_itself_said_is_looked_at_in_one_pass(
    write: Callable[..., Reply], loaded: LoadedModel
) -> None:
    counted = Counted(loaded.model)
    reply = write(limit=60, ends=[], keep=in_a_circle, model=counted)
    assert reply.written == write(limit=60, ends=[], keep=in_a_circle).written
    assert len(counted.lengths) < 15


@pytest.mark.parametrize(
    ("prompt", "written", "others", "guess"),
    [
        ([1, 2, 3, 4, 5, 9], [1, 2, 3], [], [4, 5, 9, 1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5, 9]),
        ([1, 2, 3, *range(4, 20), 1, 2, 3, *range(40)], [1, 2, 3], [], [*range(4, 19)]),
        ([1, 2, 3, 4, 1, 2, 3, *range(5, 40)], [1, 2, 3], [], [*range(5, 20)]),
        ([7], [1, 2, 3], [[1, 2, 3, 4], [0, 1, 2, 3, 5]], [5]),
        ([7], [1, 2, 3], [[1, 2, 3, 4], [1, 2, 3]], [4]),
        ([7], [1, 2, 3], [[2, 3, 4]], []),
        ([7], [], [[7]], []),
        ([1, 2, 3, *range(40)], [1, 2, 3], [], [*range(4, 4 + GUESSED_TOKENS)]),
    ],
)
def test_what_followed_the_same_tokens_last_time_is_guessed(
    prompt: list[int], written: list[int], others: list[list[int]], guess: list[int]
) -> None:
    reply = Reply(prompt, LIMIT, frozenset(), others=others, written=written)
    assert guessed(reply) == guess


async def test_the_next_model_is_given_what_the_last_one_answered(tiny_model: Path) -> None:
    drafts = Drafts()
    messages = [Message("user", "What time is it?")]
    with BatchedModel(tiny_model, max_tokens=12, drafts=drafts) as first:
        said = await first.reply(messages)
        prompt = first.render(messages)
    kept = drafts.of(Reply(prompt, 12, frozenset()))
    with BatchedModel(tiny_model, max_tokens=12, drafts=drafts) as second:
        again = await second.reply(messages)

    assert len(kept) == said.usage.output_tokens
    assert again == said


def test_a_draft_is_of_the_same_conversation_and_of_the_same_request_for_another_reply() -> None:
    drafts = Drafts()
    again = Deviation(("no",), 0.2)

    def reply(prompt: list[int], deviation: Deviation | None = None, *written: int) -> Reply:
        return Reply(prompt, LIMIT, frozenset(), None, deviation, list(written))

    for each in (reply([1, 2], None, 3), reply([1, 2], again, 4), reply([1], again, 5)):
        drafts.remember(each)
    other = Deviation(("no", "nor"), 0.2)
    asked = [reply([1, 2]), reply([1, 2], again), reply([1, 2], other), reply([1]), reply([2])]
    assert [drafts.of(each) for each in asked] == [[3], [4], [4], [5], []]
    with drafts.hidden():
        assert [drafts.of(each) for each in asked] == [[], [], [], [], []]
    assert drafts.of(asked[0]) == [3]
