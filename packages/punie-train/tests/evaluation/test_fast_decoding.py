"""What is faster computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.models.base import scaled_dot_product_attention

from punie_train.evaluation.fast_decoding import attention, fast_decoding, filled_up
from punie_train.mlx import BLAS, ON_CPU, mx, nn, number
from punie_train.models.loading import load_for_inference


def largest_difference(a: mx.array, b: mx.array) -> float:
    assert a.shape == b.shape
    return number(mx.max(mx.abs(a - b)))


@given(
    batch=st.integers(1, 4),
    groups=st.integers(1, 3),
    each=st.integers(1, 3),
    length=st.integers(1, 3),
    span=st.integers(3, 9),
    kind=st.sampled_from(["none", "causal", "padded", "added"]),
)
@settings(max_examples=60, deadline=None)
def test_attention_is_that_of_mlx_lm(
    batch: int, groups: int, each: int, length: int, span: int, kind: str
) -> None:
    queries = mx.random.normal((batch, groups * each, length, 8))
    keys, values = (mx.random.normal((batch, groups, span, 8)) for _ in range(2))
    padding = mx.arange(batch)[:, None, None, None] % span
    seen = mx.broadcast_to(padding <= mx.arange(span), (batch, 1, length, span))
    masks = {
        "none": None,
        "causal": "causal",
        "padded": seen,
        "added": mx.where(seen, 0.5, -1e9),
    }
    arguments: dict[str, Any] = {"cache": None, "scale": 0.3, "mask": masks[kind]}
    expected = scaled_dot_product_attention(queries, keys, values, **arguments)
    assert largest_difference(attention(queries, keys, values, **arguments), expected) < 1e-5


@pytest.mark.parametrize("shape", [(1, 8), (8, 1, 8), (9, 1, 8), (3, 5, 8), (16, 8), (3, 7, 8)])
def test_a_product_with_rows_filled_up_is_the_same(shape: tuple[int, ...]) -> None:
    x, layer = mx.random.normal(shape), nn.Linear(8, 5)
    rows: list[int] = []

    def product(given_rows: mx.array) -> mx.array:
        rows.append(given_rows.size // 8)
        return layer(given_rows)

    assert largest_difference(filled_up(product, x), layer(x)) < 1e-5
    assert not 8 < rows[0] < 16


@pytest.mark.skipif(not ON_CPU, reason="it changes nothing on a GPU")
def test_a_model_is_changed_inside_the_block_only(tiny_model: Path) -> None:
    model = load_for_inference(tiny_model).model
    tokens = mx.array([[5, 80, 300]] * 3)
    before = model(tokens)
    kinds = [type(module) for module in model.modules()]
    with fast_decoding(model):
        within = model(tokens)
        assert (kinds != [type(module) for module in model.modules()]) == (BLAS.name == "mkl")
    assert [type(module) for module in model.modules()] == kinds
    assert largest_difference(within, before) < 1e-3
    assert mx.array_equal(model(tokens), before)
