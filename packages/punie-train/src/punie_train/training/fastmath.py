"""Attention and SwiGLU for MLX's CPU backend, three times as fast where it matters.

There, `exp` takes 20 ns an element and `power` 7 ns (the relative error is below 4e-7), and the built-in
softmax, sigmoid and attention all go through `exp`. The functions here use `power`, keep what their
gradient needs, and are put in the place of mlx-lm's while a model is trained or scored on CPU.

Covered: models that call `scaled_dot_product_attention` and `swiglu` of mlx-lm, in float32. Not covered:
attention sinks and quantised caches, which stay with MLX's own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from punie_train.mlx import ON_CPU, mx

NEGATIVE = -1e9
"""Added to scores that are masked."""


def exp(x: mx.array) -> mx.array:
    """Return e to the power of x, by the fast way; no gradient of its own is defined."""
    return mx.power(math.e, x)


@mx.custom_function
def _attend(
    queries: mx.array, keys: mx.array, values: mx.array, mask: mx.array
) -> tuple[mx.array, mx.array, mx.array]:
    """Return softmax(queries · keys + mask) · values, the weights before they are divided, and their sums.

    Passes over the scores are what attention costs here, so there are as few as can be: sums and shifts of
    whole rows ride along in the matrix products, as one more column.
    """
    scores = queries @ keys.swapaxes(-1, -2)
    shape = scores.shape
    scores = (scores.reshape(*shape[:2], -1, *mask.shape[-2:]) + mask).reshape(shape)
    weights = exp(scores - mx.max(scores, axis=-1, keepdims=True))
    summed = weights @ _with_column(values, 1.0)
    total = summed[..., -1:]
    return summed[..., :-1] / total, weights, total


@_attend.vjp
def _attend_vjp(
    primals: Any, cotangents: Any, outputs: Any
) -> tuple[mx.array, mx.array, mx.array, mx.array]:
    queries, keys, values, mask = primals
    output, weights, total = outputs
    cotangent = cotangents[0] / total
    along = mx.sum(cotangent * output, axis=-1, keepdims=True)
    # weights / total * (cotangent · values - along): the subtraction is the column's product.
    scores = weights * (
        mx.concatenate([cotangent, -along], axis=-1) @ _with_column(values, 1.0).swapaxes(-1, -2)
    )
    return (
        scores @ keys,
        scores.swapaxes(-1, -2) @ queries,
        weights.swapaxes(-1, -2) @ cotangent,
        mx.zeros_like(mask),
    )


def _with_column(x: mx.array, value: float) -> mx.array:
    return mx.concatenate([x, mx.full((*x.shape[:-1], 1), value, dtype=x.dtype)], axis=-1)


@mx.custom_function
def _gated(gate: mx.array, x: mx.array) -> tuple[mx.array, mx.array]:
    sigmoid = mx.reciprocal(1.0 + mx.power(1 / math.e, gate))
    return gate * sigmoid * x, sigmoid


@_gated.vjp
def _gated_vjp(primals: Any, cotangents: Any, outputs: Any) -> tuple[mx.array, mx.array]:
    gate, x = primals
    cotangent, sigmoid = cotangents[0], outputs[1]
    silu = gate * sigmoid
    return cotangent * x * (sigmoid + silu * (1.0 - sigmoid)), cotangent * silu


def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    """Return silu(gate) · x."""
    return cast("tuple[mx.array, mx.array]", _gated(gate, x))[0]


def additive_mask(queries: int, keys: int) -> mx.array:
    """Return the causal mask to add to scores; the last query sees the last key."""
    return mx.triu(mx.full((queries, keys), NEGATIVE), k=keys - queries + 1)


def attention(
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    cache: Any = None,
    scale: float = 1.0,
    mask: Any = None,
    sinks: mx.array | None = None,
) -> mx.array:
    """Return scaled dot-product attention with grouped queries; the signature is mlx-lm's."""
    if sinks is not None or hasattr(cache, "bits"):
        from mlx_lm.models.base import scaled_dot_product_attention

        return scaled_dot_product_attention(
            queries, keys, values, cache, scale=scale, mask=mask, sinks=sinks
        )
    batch, heads, length, size = queries.shape
    groups, span = keys.shape[1], keys.shape[2]
    grouped = (queries * scale).reshape(batch, groups, heads // groups * length, size)
    wide = mx.zeros((length, span)) if mask is None else _addable(mask, length, span)
    output = cast("tuple[mx.array, ...]", _attend(grouped, keys, values, wide))[0]
    return output.reshape(batch, heads, length, size)


def _addable(mask: mx.array | str, length: int, span: int) -> mx.array:
    """Return a mask to add to (batch, groups, heads of a group, length, span) scores."""
    if isinstance(mask, str):
        return additive_mask(length, span)
    if mask.dtype == mx.bool_:
        mask = mx.where(mask, 0.0, NEGATIVE)
    # (batch, 1, queries, keys) masks get an axis for the groups of heads.
    return mask[:, :, None] if mask.ndim == 4 else mask


@contextmanager
def fast_math(model: Any) -> Generator[None]:
    """Let a model's layers use the functions above inside the block; does nothing where there is a GPU."""
    if not ON_CPU:
        yield
        return
    places = [sys.modules[type(model).__module__], sys.modules.get("mlx_lm.models.switch_layers")]
    replacements = {"scaled_dot_product_attention": attention, "swiglu": swiglu}
    originals = [
        (place, name, getattr(place, name))
        for place in places
        for name in replacements
        if place is not None and hasattr(place, name)
    ]
    for place, name, _ in originals:
        setattr(place, name, replacements[name])
    try:
        yield
    finally:
        for place, name, original in originals:
            setattr(place, name, original)
