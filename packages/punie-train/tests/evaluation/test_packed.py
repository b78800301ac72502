"""The engine for replies on CPUs computes what MLX does, for one conversation or many."""

from __future__ import annotations

import copy
import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx import nn
from mlx_lm.models.cache import LRUPromptCache, make_prompt_cache
from mlx_lm.models.llama import Model, ModelArgs
from mlx_lm.tuner.utils import linear_to_lora_layers

from punie_agent.models.dequantized import dequantized, take_stored
from punie_train.evaluation.decoding import Reply
from punie_train.evaluation.packed import MANY_ROWS, PackedPasses, packed_passes
from punie_train.mlx import mx
from punie_train.models.loading import load_for_inference
from punie_train.training.cpu.products import available, cpu_flags

pytestmark = pytest.mark.skipif(not available(), reason="models are left to MLX on this machine")

VOCABULARY = 96
TEXT = [number * 7 % VOCABULARY for number in range(150)]


def small(**changes: Any) -> Model:
    """Return a Llama with random weights."""
    config = {
        "model_type": "llama",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "intermediate_size": 52,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "vocab_size": VOCABULARY,
        "rope_theta": 1000.0,
        "tie_word_embeddings": True,
    }
    mx.random.seed(3)
    model = Model(ModelArgs.from_dict(config | changes))
    mx.eval(model.parameters())
    return model


def logits_of(model: Model, tokens: Sequence[int]) -> np.ndarray:
    """Return what MLX says may follow each token."""
    return np.asarray(model(mx.array([tokens]), cache=make_prompt_cache(model))[0])


@pytest.fixture(scope="module")
def model() -> Model:
    return small()


@pytest.fixture(scope="module")
def passes(model: Model) -> PackedPasses:
    return PackedPasses(model)


@given(
    groups=st.integers(1, 3),
    each=st.integers(1, 3),
    half=st.integers(1, 5),
    inner=st.integers(1, 9),
    tied=st.booleans(),
    length=st.integers(1, MANY_ROWS + 9),
    cuts=st.sets(st.integers(1, MANY_ROWS + 8), max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_a_model_of_any_shape_says_what_mlx_says(
    groups: int, each: int, half: int, inner: int, tied: bool, length: int, cuts: set[int]
) -> None:
    heads, size = groups * each, 2 * half
    model = small(
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=size,
        hidden_size=heads * size,
        intermediate_size=inner,
        tie_word_embeddings=tied,
    )
    passes, tokens = PackedPasses(model), TEXT[:length]
    cache, found = passes.new_cache(), []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), length], strict=True):
        if part := tokens[start:end]:
            found += [*passes.look([(part, cache, len(part))])[0]]
    np.testing.assert_allclose(np.stack(found), logits_of(model, tokens), atol=2e-5)


@pytest.mark.skipif("avx512f" not in cpu_flags(), reason="codes are not read on this machine")
@given(
    bits=st.sampled_from([2, 3, 4, 5, 6, 8]),
    group=st.sampled_from([32, 64]),
    tied=st.booleans(),
    length=st.integers(1, MANY_ROWS + 5),
)
@settings(max_examples=30, deadline=None)
def test_of_a_quantised_model_the_codes_are_read_and_no_weights(
    bits: int, group: int, tied: bool, length: int
) -> None:
    """Of few tokens: the weights that the codes stand for are made zero here."""
    model = small(hidden_size=64, intermediate_size=128, head_dim=16, tie_word_embeddings=tied)
    nn.quantize(model, group, bits)
    model = dequantized(model)
    mx.eval(model.parameters())
    tokens, few = TEXT[:length], length < MANY_ROWS
    expected = logits_of(model, tokens)
    passes = PackedPasses(model)
    if few:
        for layer in model.model.layers:
            for linear in (layer.mlp.down_proj, layer.self_attn.o_proj):
                np.asarray(linear.weight)[...] = 0
    (found,) = passes.look([(tokens, passes.new_cache(), length)])
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert take_stored(model) == {}


def test_conversations_of_any_length_share_a_pass(model: Model, passes: PackedPasses) -> None:
    texts = [TEXT[:3], TEXT[9:70], TEXT[20:21], TEXT[5:45]]
    caches = [passes.new_cache() for _ in texts]
    passes.look(
        [(text[:-1], cache, 0) for text, cache in zip(texts, caches, strict=True) if text[1:]]
    )
    last = [(text[-1:], cache, 1) for text, cache in zip(texts, caches, strict=True)]
    for text, found in zip(texts, passes.look(last), strict=True):
        np.testing.assert_allclose(found, logits_of(model, text)[-1:], atol=2e-5)


def test_a_cache_is_shortened_and_goes_on(model: Model, passes: PackedPasses) -> None:
    cache = passes.new_cache()
    passes.look([([*TEXT[:30], 1, 2, 3], cache, 0)])
    assert (cache[0].trim(3), cache[0].trim(0), cache[0].offset) == (3, 0, 30)
    (found,) = passes.look([(TEXT[30:40], cache, 10)])
    np.testing.assert_allclose(found, logits_of(model, TEXT[:40])[30:], atol=2e-5)
    assert (cache[0].trim(100), cache[0].offset) == (40, 0)


def test_a_copy_of_a_cache_goes_its_own_way(model: Model, passes: PackedPasses) -> None:
    cache = passes.new_cache()
    passes.look([(TEXT[:20], cache, 0)])
    other = copy.deepcopy(cache)
    passes.look([([5, 6, 7], other, 0)])
    (found,) = passes.look([(TEXT[20:25], cache, 5)])
    np.testing.assert_allclose(found, logits_of(model, TEXT[:25])[20:], atol=2e-5)
    (found,) = passes.look([([8], other, 1)])
    np.testing.assert_allclose(found, logits_of(model, [*TEXT[:20], 5, 6, 7, 8])[-1:], atol=2e-5)


def test_caches_are_kept_as_mlx_lm_keeps_its_own(passes: PackedPasses) -> None:
    kept: Any = LRUPromptCache(max_size=4, max_bytes=1 << 20)
    cache = passes.new_cache()
    passes.look([(TEXT[:20], cache, 0)])
    kept.insert_cache("", TEXT[:20], cache)
    found, rest = kept.fetch_nearest_cache("", [*TEXT[:12], 90, 91])
    assert (found[0].offset, rest) == (12, [90, 91])
    assert kept.nbytes == cache[0].nbytes > 0


def test_replies_of_a_batch_are_those_of_each_alone(passes: PackedPasses) -> None:
    def write(numbers: Sequence[int]) -> list[list[int]]:
        replies = [Reply(TEXT[n : 3 * n + 2], 10 + n, frozenset()) for n in numbers]
        batch = passes.new_batch()
        assert batch.step() == []
        for reply in replies:
            batch.join(reply, passes.new_cache(), reply.prompt)
        while batch.replies:
            assert all(cache[0].offset == len(reply.seen) for reply, cache in batch.step())
        return [reply.written for reply in replies]

    together = write(range(1, 9))
    assert [len(each) for each in together] == [10 + n for n in range(1, 9)]
    assert together == [write([n])[0] for n in range(1, 9)]


@pytest.fixture
def threads() -> Iterator[set[threading.Thread]]:
    yield (before := set(threading.enumerate()))
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before


def test_its_threads_end_with_it(model: Model, threads: set[threading.Thread]) -> None:
    passes = PackedPasses(model)
    passes.look([(TEXT[:9], passes.new_cache(), 1)])
    assert set(threading.enumerate()) >= threads
    del passes


@pytest.mark.parametrize(
    "changes",
    [{"attention_bias": True}, {"rope_traditional": True}, {"mlp_bias": True}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_covered_is_left_to_mlx(changes: dict[str, Any]) -> None:
    assert packed_passes(small(**changes)) is None


def test_weights_that_are_not_plain_are_left_to_mlx(tiny_moe: Path) -> None:
    assert packed_passes(small()) is not None
    assert packed_passes(load_for_inference(tiny_moe).model) is None
    adapted = small()
    linear_to_lora_layers(adapted, 1, {"rank": 2, "scale": 1.0, "dropout": 0.0})
    assert packed_passes(adapted) is None
