"""Affine quantisation with the best of several scales for each group of weights.

MLX takes a group's range and divides it evenly. Here several divisions and slightly narrower ranges are
tried, with scale and offset already rounded to the type they are stored in, and the one with the least
squared error is kept. Weights that lie on a coarser grid, as those of a base that was quantised before,
are kept without any error when their group fits the grid.

Covered: MLX's affine layout for 2 to 8 bits. Not covered: errors weighted by activations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from punie_train.errors import TrainingError
from punie_train.mlx import mx, number

NARROWER = (0.97, 0.93)
"""Ranges tried besides the whole one: a few clipped weights for a finer grid."""
COARSEST = 0.6
"""The coarsest even division tried, as a part of the steps there are."""
MOST_DIVISIONS = 12
"""How many even divisions are tried at most."""
CHUNK = 1 << 22
"""Weights searched at a time."""


@dataclass(frozen=True)
class Quantized:
    """A matrix in MLX's affine layout.

    Attributes:
        weight: packed codes.
        scales: a scale a group.
        biases: an offset a group.
        error: squared error summed over the weights.
    """

    weight: mx.array
    scales: mx.array
    biases: mx.array
    error: float


def quantize_affine(weight: mx.array, *, bits: int, group_size: int, dtype: mx.Dtype) -> Quantized:
    """Quantise a matrix along its last axis.

    Args:
        weight: float weights; the last axis is a multiple of the group size.
        bits: bits of a code.
        group_size: weights that share a scale.
        dtype: the type scales and offsets are stored in.

    Raises:
        TrainingError: the packed codes do not give back what was computed (another MLX layout).
    """
    groups = weight.astype(mx.float32).reshape(-1, group_size)
    rows = max(CHUNK // group_size, 1)
    parts = [
        _search(groups[at : at + rows], bits, group_size, dtype)
        for at in range(0, groups.shape[0], rows)
    ]
    codes, scales, biases, errors = (
        mx.concatenate(list(each)) for each in zip(*parts, strict=True)
    )
    packed = _pack(np.array(codes), bits, weight.shape)
    shape = (*weight.shape[:-1], weight.shape[-1] // group_size)
    result = Quantized(
        mx.array(packed), scales.reshape(shape), biases.reshape(shape), number(mx.sum(errors))
    )
    _check(result, codes[:rows], bits, group_size)
    return result


def _search(groups: mx.array, bits: int, group_size: int, dtype: mx.Dtype) -> tuple[mx.array, ...]:
    """Return codes, scales, offsets and errors of each group, the best of all candidates."""
    steps = (1 << bits) - 1
    low, high = mx.min(groups, axis=-1, keepdims=True), mx.max(groups, axis=-1, keepdims=True)
    _, scale, offset = mx.quantize(groups, group_size=group_size, bits=bits)
    best = _tried(groups, steps, scale, offset, dtype)
    divisions = [
        (1.0, steps - less) for less in range(MOST_DIVISIONS) if steps - less > steps * COARSEST
    ]
    for narrower, parts in [*divisions, *((factor, steps) for factor in NARROWER)]:
        span = (high - low) * narrower
        found = _tried(groups, steps, span / parts, low + (high - low - span) / 2, dtype)
        better = found[-1] < best[-1]
        best = tuple(mx.where(better, new, old) for new, old in zip(found, best, strict=True))
        mx.eval(best)
    scale, offset, errors = best
    codes = _codes(groups, steps, scale, offset).astype(mx.uint8)
    return codes, scale.astype(dtype), offset.astype(dtype), errors


def _tried(
    groups: mx.array, steps: int, scale: mx.array, offset: mx.array, dtype: mx.Dtype
) -> tuple[mx.array, ...]:
    """Return a scale and an offset as they are stored, and the error of each group with them."""
    scale = scale.astype(dtype).astype(mx.float32)
    scale = mx.where(scale == 0, 1.0, scale)
    offset = offset.astype(dtype).astype(mx.float32)
    codes = _codes(groups, steps, scale, offset)
    errors = mx.sum(mx.square(groups - codes * scale - offset), axis=-1, keepdims=True)
    return scale, offset, errors


def _codes(groups: mx.array, steps: int, scale: mx.array, offset: mx.array) -> mx.array:
    return mx.clip(mx.round((groups - offset) / scale), 0, steps)


def _pack(codes: np.ndarray, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    # MLX stores codes as a little-endian stream of bits along each row.
    rows = codes.reshape(-1, shape[-1])
    stream = np.unpackbits(rows[..., None], axis=-1, count=bits, bitorder="little")
    packed = np.packbits(stream.reshape(len(rows), -1), axis=-1, bitorder="little")
    return packed.view(np.uint32).reshape(*shape[:-1], -1)


def _check(result: Quantized, codes: mx.array, bits: int, group_size: int) -> None:
    """Refuse where MLX does not read the first codes as they are; all are written alike."""
    rows = -(-codes.shape[0] // result.scales.shape[-1])
    scales, biases = (
        each.reshape(-1, each.shape[-1])[:rows].astype(mx.float32)
        for each in (result.scales, result.biases)
    )
    weight = result.weight.reshape(-1, result.weight.shape[-1])[:rows]
    whole = mx.dequantize(weight, scales, biases, group_size=group_size, bits=bits)
    count = codes.shape[0]
    whole = whole.reshape(-1, group_size)[:count]
    scales, biases = scales.reshape(-1, 1)[:count], biases.reshape(-1, 1)[:count]
    if not mx.allclose(whole, codes * scales + biases, rtol=1e-4, atol=1e-6).item():
        raise TrainingError(f"MLX reads {bits}-bit codes in another order than they were written.")
