"""Heads of attention: apart and side by side, turned by their positions, and scores that become weights.

Heads lie as (groups, tokens, heads of a group, size) when they are apart. Arrays are contiguous, in float32
or a half format and any mixture; sums are in float32.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from punie_train.training.cpu.compiled import (
    bits,
    compiled,
    copy,
    highest,
    inlined,
    scale_exponentials,
    single,
    stored,
    sum_of_exponentials,
)


@compiled
def _split(projected, first, out):
    groups, tokens, heads, size = out.shape
    for t in range(tokens):
        for g in range(groups):
            for h in range(heads):
                at = first + (g * heads + h) * size
                copy(projected[t, at : at + size], out[g, t, h])


@compiled
def _join(x, out, first):
    groups, tokens, heads, size = x.shape
    for t in range(tokens):
        for g in range(groups):
            for h in range(heads):
                at = first + (g * heads + h) * size
                copy(x[g, t, h], out[t, at : at + size])


@inlined
def _turn(head, half, cosine, sine, scale, out):
    for j in range(half):
        low, high = scale * single(head[j]), scale * single(head[half + j])
        out[j] = stored(low * cosine[j] - high * sine[j], out[j])
        out[half + j] = stored(high * cosine[j] + low * sine[j], out[j])


@cache
def _turning(half: int) -> Any:
    """Return functions that turn heads whose halves are so wide: loops of a known length are faster.

    The first takes them apart as `_split` does, the second writes them side by side as `_join` does.
    """

    @compiled
    def apart(projected, first, turning, scale, out):
        (groups, tokens, heads, size), (cosines, sines, positions) = out.shape, turning
        for t in range(tokens):
            cosine, sine = cosines[positions[t]], sines[positions[t]]
            for g in range(groups):
                for h in range(heads):
                    at = first + (g * heads + h) * size
                    _turn(projected[t, at : at + size], half, cosine, sine, scale, out[g, t, h])

    @compiled
    def together(x, first, turning, scale, out):
        (groups, tokens, heads, size), (cosines, sines, positions) = x.shape, turning
        for t in range(tokens):
            cosine, sine = cosines[positions[t]], sines[positions[t]]
            for g in range(groups):
                for h in range(heads):
                    at = first + (g * heads + h) * size
                    _turn(x[g, t, h], half, cosine, sine, scale, out[t, at : at + size])

    return apart, together


def rotations(size: int, theta: float, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines and the sines of positions from 0 on, each (positions, size / 2)."""
    rates = theta ** -(np.arange(0, size, 2, dtype=np.float64) / size)
    angles = np.outer(np.arange(positions), rates)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Rotation:
    """Rotary positions (Su et al., 2021, https://arxiv.org/abs/2104.09864), by halves of a head as in Llama.

    Args:
        size: the width of a head.
        theta: the base of the rates.
        positions: how many there are.
    """

    def __init__(self, size: int, theta: float, positions: int) -> None:
        self._cosines, self._sines = rotations(size, theta, positions)
        self._sines_back = -self._sines
        self._apart, self._together = _turning(size // 2)

    def split(
        self,
        projected: np.ndarray,
        first: int,
        positions: np.ndarray,
        out: np.ndarray,
        scale: float = 1.0,
    ) -> None:
        """Take heads apart as `split` does, turned by their tokens' positions, and scaled."""
        turning = self._cosines, self._sines, positions
        self._apart(bits(projected), first, turning, np.float32(scale), bits(out))

    def join(
        self,
        x: np.ndarray,
        positions: np.ndarray,
        out: np.ndarray,
        first: int = 0,
        scale: float = 1.0,
    ) -> None:
        """Write the gradient of what `split` was given side by side, given that of what it made."""
        turning = self._cosines, self._sines_back, positions
        self._together(bits(x), first, turning, np.float32(scale), bits(out))


def split(projected: np.ndarray, first: int, out: np.ndarray) -> None:
    """Take heads apart that lie side by side in (tokens, width), from a column on."""
    _split(bits(projected), first, bits(out))


def join(x: np.ndarray, out: np.ndarray, first: int = 0) -> None:
    """Write heads side by side into (tokens, width), from a column on."""
    _join(bits(x), bits(out), first)


@compiled
def _soften(far, own, first, heads):
    for g in range(own.shape[0]):
        for i in range(own.shape[1]):
            seen = i // heads + 1
            shared, mine = far[g, first + i], own[g, i, :seen]
            most = highest(mine, highest(shared, np.float32(-np.inf)))
            total = sum_of_exponentials(shared, most) + sum_of_exponentials(mine, most)
            scale_exponentials(shared, most, np.float32(1) / total)
            scale_exponentials(mine, most, np.float32(1) / total)
            own[g, i, seen:] = 0


@compiled
def _soften_backward(far, own, to_far, to_own, first):
    for g in range(own.shape[0]):
        for i in range(own.shape[1]):
            shared, to_shared, mine, to_mine = (
                far[g, first + i],
                to_far[g, first + i],
                own[g, i],
                to_own[g, i],
            )
            along = dot(shared, to_shared) + dot(mine, to_mine)
            _scores(shared, along, to_shared)
            _scores(mine, along, to_mine)


@inlined
def dot(x, y):
    """Return the sum of two rows' products."""
    total = np.float32(0)
    for j in range(x.size):
        total += single(x[j]) * single(y[j])
    return total


@inlined
def _scores(weights, along, gradient):
    for j in range(weights.size):
        score = single(weights[j]) * (single(gradient[j]) - along)
        gradient[j] = stored(score, gradient[j])


def soften(far: np.ndarray, own: np.ndarray, first: int) -> None:
    """Replace a row's scores by weights that sum to one, over what all rows see and what it sees of itself.

    Args:
        far: (groups, all rows' tokens · heads of a group, shared tokens).
        own: (groups, the row's tokens · heads of a group, the row's tokens); no token sees a later one.
        first: where the row begins in the second axis of `far`.
    """
    _soften(bits(far), bits(own), first, own.shape[1] // own.shape[2])


def soften_backward(
    far: np.ndarray, own: np.ndarray, to_far: np.ndarray, to_own: np.ndarray, first: int
) -> None:
    """Replace the gradient of weights by that of scores, given the weights; shapes are those of `soften`."""
    _soften_backward(bits(far), bits(own), bits(to_far), bits(to_own), first)
