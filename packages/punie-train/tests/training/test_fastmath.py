"""The fast functions for CPU equal MLX's own, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from punie_train.mlx import mx, nn
from punie_train.training import fastmath


def close(one: mx.array, other: mx.array, tolerance: float = 2e-5) -> bool:
    return bool(mx.allclose(one, other, rtol=tolerance, atol=tolerance).item())


def test_the_gradient_of_attention_with_grouped_queries() -> None:
    """For queries, keys and values, large scores and a causal mask among them."""
    queries, keys = mx.random.normal((2, 6, 5, 8)) * 4, mx.random.normal((2, 3, 9, 8)) * 4
    values, weights = mx.random.normal((2, 3, 9, 8)), mx.random.normal((2, 6, 5, 8))

    def of(function: Callable[..., mx.array], *before: None) -> list[mx.array]:
        def loss(*arrays: mx.array) -> mx.array:
            return mx.sum(function(*arrays, *before, scale=0.3, mask="causal") * weights)

        return list(mx.grad(loss, argnums=(0, 1, 2))(queries, keys, values))

    ours = of(fastmath.attention, None)
    theirs = of(mx.fast.scaled_dot_product_attention)
    assert all(close(a, b, 1e-4) for a, b in zip(ours, theirs, strict=True))


def test_swiglu_and_its_gradient() -> None:
    gate, x = mx.random.normal((4, 33)) * 6, mx.random.normal((4, 33))

    def theirs(gate: mx.array, x: mx.array) -> mx.array:
        return nn.silu(gate) * x

    assert close(fastmath.swiglu(gate, x), theirs(gate, x))
    ours = mx.grad(lambda g, x: mx.sum(fastmath.swiglu(g, x) ** 2), argnums=(0, 1))(gate, x)
    expected = mx.grad(lambda g, x: mx.sum(theirs(g, x) ** 2), argnums=(0, 1))(gate, x)
    assert all(close(a, b, 1e-4) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize("mask", ["causal", "boolean", "additive", "rows", None])
def test_attention_with_grouped_queries_and_any_mask(mask: str | None) -> None:
    queries, keys = mx.random.normal((2, 6, 5, 8)), mx.random.normal((2, 3, 9, 8))
    values = mx.random.normal((2, 3, 9, 8))
    allowed = mx.arange(9)[None] <= mx.arange(4, 9)[:, None]
    masks = {
        "causal": "causal",
        "boolean": allowed,
        "additive": fastmath.additive_mask(5, 9),
        "rows": mx.broadcast_to(allowed[None, None], (2, 1, 5, 9)),
    }
    chosen = masks[mask] if mask else None
    ours = fastmath.attention(queries, keys, values, None, scale=0.3, mask=chosen)
    theirs = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=0.3, mask=chosen)
    assert close(ours, theirs)


def test_models_use_the_fast_functions_only_inside_the_block(tiny_llama) -> None:
    from mlx_lm.models import llama

    from punie_train.models.loading import load_base

    model = load_base(tiny_llama).model
    before = llama.swiglu
    with fastmath.fast_math(model):
        assert llama.swiglu is fastmath.swiglu
    assert llama.swiglu is before
