"""A draft changes what a reply costs, never what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_agent.constrain import Constraint, LogitsProcessor, TokenTexts
from punie_agent.constrain._rules import Rules, Tool
from punie_agent.constrain._words import Words
from punie_agent.models import Message
from punie_train.evaluation.batching import BatchedModel
from punie_train.evaluation.decoding import (
    FIRST_TOKENS,
    GUESSED_TOKENS,
    JOINED_TOKENS,
    PROMPT_TOKENS,
    SAME_TOKENS,
    STUCK_TOKENS,
    Passes,
    Replies,
    Reply,
    guessed,
)
from punie_train.evaluation.drafting import Drafts
from punie_train.evaluation.mlx_decoding import Batch, MlxPasses
from punie_train.evaluation.packed import packed_passes
from punie_train.evaluation.packed_batch import PackedBatch
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
    """Passes that count about how many tokens of a conversation the model is asked."""

    def __init__(self, passes: Passes, batch: Callable[[Passes], Replies]) -> None:
        self._passes = passes
        self._batch = batch
        self.lengths: list[int] = []

    def new_cache(self) -> list[Any]:
        """Return the cache of a conversation that has not begun."""
        return self._passes.new_cache()

    def look(self, parts: Sequence[tuple[Sequence[int], list[Any], int]]) -> Sequence[Any]:
        """Compute, and count."""
        self.lengths += [len(tokens) for tokens, _, _ in parts]
        return self._passes.look(parts)

    def new_batch(self) -> Replies:
        """Return a batch whose passes are counted, too."""
        return self._batch(self)


@pytest.fixture(scope="module", params=["moe by MLX", "llama by MLX", "llama packed"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def loaded(kind: str, tiny_moe: Path, tiny_llama: Path) -> LoadedModel:
    return load_for_inference(tiny_llama if "llama" in kind else tiny_moe)


@pytest.fixture(scope="module")
def counted(kind: str, loaded: LoadedModel) -> Callable[[], Counted]:
    """Make passes of the model that are counted from now on."""
    if "MLX" in kind:
        return lambda: Counted(MlxPasses(loaded.model), lambda own: Batch(loaded.model, own))
    packed = packed_passes(loaded.model)
    if packed is None:
        pytest.skip("models are left to MLX on this machine")
    return lambda: Counted(packed, PackedBatch)


@pytest.fixture(scope="module")
def write(loaded: LoadedModel, counted: Callable[[], Counted]) -> Callable[..., Reply]:
    """Write a reply to the prompt, from a draft or without."""

    def written(
        draft: Sequence[int] = (), *, constraint: Constraint | None = None, **changes: Any
    ) -> Reply:
        passes = changes.pop("passes", None) or counted()
        ends = frozenset(changes.pop("ends", loaded.tokenizer.eos_token_ids))
        reply = Reply(PROMPT, changes.pop("limit", LIMIT), ends, changes.pop("keep", None))
        reply.others = changes.pop("others", ())
        if constraint is not None:
            texts = TokenTexts.of(loaded.tokenizer)
            assert texts is not None
            reply.keep = LogitsProcessor(constraint, texts)
        batch, left = passes.new_batch(), []
        batch.join(reply, passes.new_cache(), PROMPT, draft)
        while not left:
            left = batch.step()
        assert [(each, cache[0].offset) for each, cache in left] == [(reply, len(reply.seen))]
        assert batch.step() == []
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


def test_a_right_draft_needs_no_decoding(
    write: Callable[..., Reply], counted: Callable[[], Counted]
) -> None:
    """A short prompt and the draft in passes of many tokens; not one pass for a single token."""
    right = write().written
    assert len(right) == LIMIT
    passes = counted()
    assert write(right, passes=passes).written == right
    assert passes.lengths == [len(PROMPT) + FIRST_TOKENS, LIMIT - FIRST_TOKENS]


def test_the_end_of_a_long_prompt_comes_with_the_first_tokens(
    counted: Callable[[], Counted],
) -> None:
    prompt = [number % VOCABULARY for number in range(300)]
    passes = counted()
    batch, reply = passes.new_batch(), Reply(prompt, 1, frozenset(), others=[[9] * 9])
    batch.join(reply, passes.new_cache(), prompt)
    while not batch.step():
        pass
    assert passes.lengths[:2] == [PROMPT_TOKENS, 300 - JOINED_TOKENS - PROMPT_TOKENS]
    assert passes.lengths[2:] in ([JOINED_TOKENS], [JOINED_TOKENS + GUESSED_TOKENS])
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
    write: Callable[..., Reply], counted: Callable[[], Counted]
) -> None:
    right, passes = write().written, counted()
    other = [VOCABULARY - 1, *right[1:]]
    assert write([], passes=passes, others=[other]).written == right
    longest = 1 + GUESSED_TOKENS
    assert len(passes.lengths) <= SAME_TOKENS + 2 + (LIMIT - SAME_TOKENS) // longest


def test_what_the_reply_itself_said_is_looked_at_in_one_pass(
    write: Callable[..., Reply], counted: Callable[[], Counted]
) -> None:
    passes = counted()
    reply = write(limit=60, ends=[], keep=in_a_circle, passes=passes)
    assert reply.written == [(reply.written[0] + place) % 5 for place in range(60)]
    assert len(passes.lengths) < 15


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

    def reply(prompt: list[int], start: str = "", *written: int) -> Reply:
        return Reply(prompt, LIMIT, frozenset(), None, start, list(written))

    for each in (reply([1, 2], "", 3), reply([1, 2], "no", 4), reply([1], "no", 5)):
        drafts.remember(each)
    asked = [reply([1, 2]), reply([1, 2], "no"), reply([1, 2], "nor"), reply([1]), reply([2])]
    assert [drafts.of(each) for each in asked] == [[3], [4], [4], [5], []]
    with drafts.hidden():
        assert [drafts.of(each) for each in asked] == [[], [], [], [], []]
    assert drafts.of(asked[0]) == [3]
