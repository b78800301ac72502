"""Small batches on a CPU: what decoding a token for each of a few replies costs there, and how it costs less.

Two things were slow beside what is moved anyway, the weights. MKL takes 147 ms for the products of 15 rows
and 92 ms for 16 (SmolLM2-135M, one core); and the attention that suits training copies all values, to save a
pass over scores that are few where each row has one query.

Covered: mlx-lm models in float32, on MKL. Elsewhere nothing is changed but what `fast_math` changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from punie_train.mlx import BLAS, ON_CPU, mx, nn
from punie_train.training import fastmath

FEW_ROWS, ROWS = 8, 16
"""More rows than the first and fewer than the second cost more than the second."""


@contextmanager
def fast_decoding(model: Any) -> Generator[None]:
    """Let a model compute small batches fast inside the block; does nothing where there is a GPU."""
    with fastmath.fast_math(model):
        if not ON_CPU:
            yield
            return
        with _attention_of(sys.modules[type(model).__module__]), _products_of(model):
            yield


@contextmanager
def _attention_of(place: Any) -> Generator[None]:
    before = getattr(place, "scaled_dot_product_attention", None)
    if before is None:
        yield
        return
    place.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        place.scaled_dot_product_attention = before


@contextmanager
def _products_of(model: Any) -> Generator[None]:
    filling: dict[type, type] = {nn.Linear: _Linear, nn.Embedding: _Embedding}
    changed = [m for m in model.modules() if BLAS.name == "mkl" and type(m) in filling]
    for module in changed:
        module.__class__ = filling[type(module)]
    try:
        yield
    finally:
        for module in changed:
            module.__class__ = type(module).__base__


class _Linear(nn.Linear):
    def __call__(self, x: mx.array) -> mx.array:
        return filled_up(super().__call__, x)


class _Embedding(nn.Embedding):
    def as_linear(self, x: mx.array) -> mx.array:
        return filled_up(super().as_linear, x)


def filled_up(product: Callable[[mx.array], mx.array], x: mx.array) -> mx.array:
    """Return the product of an array's last axis, computed with a number of rows that is fast."""
    rows = x.size // x.shape[-1]
    if not FEW_ROWS < rows < ROWS:
        return product(x)
    full = mx.pad(x.reshape(rows, -1), [(0, ROWS - rows), (0, 0)])
    return product(full)[:rows].reshape(*x.shape[:-1], -1)


def attention(
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    cache: Any = None,
    scale: float = 1.0,
    mask: Any = None,
    sinks: mx.array | None = None,
) -> mx.array:
    """Return scaled dot-product attention; its own for one query a row, else that of `fastmath`."""
    batch, heads, length, size = queries.shape
    wide = isinstance(mask, mx.array) and mask.ndim == 4 and mask.shape[1] != 1
    if length != 1 or wide or sinks is not None or hasattr(cache, "bits"):
        return fastmath.attention(
            queries, keys, values, cache=cache, scale=scale, mask=mask, sinks=sinks
        )
    groups = keys.shape[1]
    grouped = (queries * scale).reshape(batch, groups, heads // groups, size)
    scores = grouped @ keys.swapaxes(-1, -2)
    if isinstance(mask, mx.array):  # "causal" hides nothing from the last position
        hidden = mask.dtype == mx.bool_
        scores = mx.where(mask, scores, fastmath.NEGATIVE) if hidden else scores + mask
    weights = fastmath.exp(scores - mx.max(scores, axis=-1, keepdims=True))
    output = (weights @ values) / mx.sum(weights, axis=-1, keepdims=True)
    return output.reshape(batch, heads, length, size)
