"""Attention of packed rows, all of which also see the shared tokens, and its gradient.

A row of t tokens after S shared ones has, for each group of query heads, (heads x t) x (S + t) scores. Those
of the shared tokens and of the row's own come from two products into one array, so the shared keys are never
copied. Weights are kept before they are divided by their sums, and the division is done on the narrow
outputs.

Covered: grouped queries, rotary positions (halves, as in Llama), full causal attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from punie_train.training.cpu.products import Workspace, multiply


@dataclass(frozen=True)
class Heads:
    """The shape of attention.

    Attributes:
        queries: query heads.
        groups: heads of keys and values.
        size: the width of a head.
    """

    queries: int
    groups: int
    size: int

    @property
    def query_width(self) -> int:
        """All query heads' width."""
        return self.queries * self.size

    @property
    def key_width(self) -> int:
        """All key heads' width."""
        return self.groups * self.size

    @property
    def width(self) -> int:
        """The width of queries, keys and values side by side."""
        return self.query_width + 2 * self.key_width


class Positions:
    """What depends on positions alone: the causal mask, and the rotation of queries and keys.

    Rotary positions are of Su et al., 2021 (https://arxiv.org/abs/2104.09864), in Llama's form, which turns
    the first half of a head against the second.
    """

    def __init__(self, size: int, theta: float, positions: int) -> None:
        rates = theta ** -(np.arange(0, size, 2, dtype=np.float64) / size)
        angles = np.outer(np.arange(positions), rates)[:, None]
        self._cosines = np.cos(angles).astype(np.float32)
        self._sines = np.sin(angles).astype(np.float32)
        self._mask = np.triu(np.full((positions, positions), -1e9, np.float32), k=1)

    def mask(self, tokens: int) -> np.ndarray:
        """Return (tokens, tokens) to add to scores, so that no token sees a later one."""
        return self._mask[:tokens, :tokens]

    def turn(self, x: np.ndarray, out: np.ndarray, first: int, *, back: bool = False) -> None:
        """Rotate (tokens, heads, size) by their positions, the first of which is `first`, into `out`."""
        half = x.shape[-1] // 2
        cosines = self._cosines[first : first + len(x)]
        sines = self._sines[first : first + len(x)]
        low, high = x[..., :half], x[..., half:]
        one, two = (high, low) if back else (low, high)
        into_one, into_two = (
            (out[..., half:], out[..., :half]) if back else (out[..., :half], out[..., half:])
        )
        np.multiply(one, cosines, out=into_one)
        into_one -= two * sines
        np.multiply(two, cosines, out=into_two)
        into_two += one * sines


@dataclass(frozen=True)
class State:
    """Keys (rotated) and values of the shared tokens in one layer, each (groups, tokens, size)."""

    keys: np.ndarray
    values: np.ndarray

    @property
    def tokens(self) -> int:
        """How many shared tokens there are."""
        return self.keys.shape[1]


@dataclass(frozen=True)
class _Row:
    """What the gradient of one row's attention needs; arrays are stacked by group."""

    place: slice
    queries: np.ndarray
    keys: np.ndarray
    weights: np.ndarray
    shares: np.ndarray
    """One over the sums of the weights, (query heads, tokens, 1)."""


class Attention:
    """Attention of one layer's packed rows: `forward`, then `backward` once.

    Args:
        heads: the shape.
        positions: turns queries and keys, and hides later tokens.
        state: the shared tokens' keys and values.
        rows: where each row lies among the packed tokens.
    """

    def __init__(
        self, heads: Heads, positions: Positions, state: State, rows: Sequence[slice]
    ) -> None:
        self._heads, self._positions = heads, positions
        self._state, self._places = state, rows
        self._scale = heads.size**-0.5
        self._rows: list[_Row] = []

    def forward(self, projected: np.ndarray, out: np.ndarray, space: Workspace) -> None:
        """Write (tokens, query width) outputs for (tokens, width) queries, keys and values side by side."""
        for place in self._places:
            row = self._prepare(projected, place, space)
            self._attend(row, self._values(projected, place), out[place], space)
            self._rows.append(row)

    def _prepare(self, projected: np.ndarray, place: slice, space: Workspace) -> _Row:
        heads, count, shared = self._heads, place.stop - place.start, self._state.tokens
        part = projected[place]
        queries = space.take(heads.groups, heads.queries // heads.groups * count, heads.size)
        keys = space.take(heads.groups, count, heads.size)
        by_head = queries.reshape(heads.queries, count, heads.size)
        self._positions.turn(self._split(part, 0, heads.queries), by_head.swapaxes(0, 1), shared)
        self._positions.turn(
            self._split(part, heads.queries, heads.groups), keys.swapaxes(0, 1), shared
        )
        weights = space.take(heads.groups, queries.shape[1], shared + count)
        return _Row(place, queries, keys, weights, space.take(heads.queries, count, 1))

    def _attend(self, row: _Row, values: np.ndarray, out: np.ndarray, space: Workspace) -> None:
        heads, shared, state = self._heads, self._state.tokens, self._state
        count, weights = row.keys.shape[1], row.weights
        if shared:
            multiply(
                row.queries,
                state.keys,
                weights[..., :shared],
                transpose_b=True,
                scale=self._scale,
            )
        multiply(row.queries, row.keys, weights[..., shared:], transpose_b=True, scale=self._scale)
        by_head = weights.reshape(heads.queries, count, shared + count)
        by_head[..., shared:] += self._positions.mask(count)
        by_head -= by_head.max(axis=-1, keepdims=True)
        # MKL's own `exp` takes 60 ns an element for those that come out as 0, which the mask makes of many.
        np.exp(weights, out=weights)
        np.sum(by_head, axis=-1, keepdims=True, out=row.shares)
        np.reciprocal(row.shares, out=row.shares)
        mark = space.mark()
        mixed = space.take(*row.queries.shape)
        multiply(weights[..., shared:], values, mixed)
        if shared:
            multiply(weights[..., :shared], state.values, mixed, add=True)
        by_token = out.reshape(count, heads.queries, heads.size)
        np.multiply(
            mixed.reshape(heads.queries, count, heads.size), row.shares, out=by_token.swapaxes(0, 1)
        )
        space.back(mark)

    def state(self, projected: np.ndarray, space: Workspace) -> State:
        """Return keys and values of the first row, for other rows to attend to, without attending."""
        keys = space.take(self._heads.groups, self._places[0].stop, self._heads.size)
        part = self._split(projected[self._places[0]], self._heads.queries, self._heads.groups)
        self._positions.turn(part, keys.swapaxes(0, 1), 0)
        return State(keys, self._values(projected, self._places[0]).copy())

    def state_of_first(self, projected: np.ndarray) -> State:
        """Return keys and values of the first row, after `forward`."""
        row = self._rows[0]
        return State(row.keys, self._values(projected, row.place).copy())

    def backward_of_state(self, arriving: State, leaving: np.ndarray) -> None:
        """Write the gradient of `projected` into `leaving`, where only `state` was made of it."""
        heads = self._heads
        leaving[:, : heads.query_width] = 0
        keys = self._split(leaving, heads.queries, heads.groups)
        self._positions.turn(arriving.keys.swapaxes(0, 1), keys, 0, back=True)
        self._values(leaving, slice(0, len(leaving)))[...] = arriving.values

    def backward(
        self,
        projected: np.ndarray,
        out: np.ndarray,
        arriving: np.ndarray,
        leaving: np.ndarray,
        to_state: State,
        space: Workspace,
        also: State | None = None,
    ) -> None:
        """Write the gradient of `projected` into `leaving`, and add that of the shared tokens to `to_state`.

        Args:
            projected: what `forward` was given.
            out: what it wrote.
            arriving: (tokens, query width) gradient of that.
            leaving: (tokens, width), is overwritten.
            to_state: gradients of the shared tokens' keys and values, are added to.
            space: for what is needed in between.
            also: gradients of the only row's own keys and values that arrive from other rows.
        """
        for row in self._rows:
            mark = space.mark()
            self._backward_row(
                row,
                self._values(projected, row.place),
                out[row.place],
                arriving[row.place],
                leaving[row.place],
                to_state,
                space,
                also,
            )
            space.back(mark)

    def _backward_row(
        self,
        row: _Row,
        values: np.ndarray,
        out: np.ndarray,
        arriving: np.ndarray,
        leaving: np.ndarray,
        to_state: State,
        space: Workspace,
        also: State | None,
    ) -> None:
        heads, state = self._heads, self._state
        shared, count = state.tokens, row.keys.shape[1]
        shape = (count, heads.queries, heads.size)
        mixed = space.take(*row.queries.shape)
        by_head = mixed.reshape(heads.queries, count, heads.size)
        np.multiply(arriving.reshape(shape).swapaxes(0, 1), row.shares, out=by_head)
        along = np.einsum("thd,htd->ht", out.reshape(shape), by_head)[..., None]
        scores = space.take(*row.weights.shape)
        multiply(mixed, values, scores[..., shared:], transpose_b=True)
        if shared:
            multiply(mixed, state.values, scores[..., :shared], transpose_b=True)
        of_head = scores.reshape(heads.queries, count, shared + count)
        of_head -= along
        scores *= row.weights
        own = scores[..., shared:]
        queries = space.take(*row.queries.shape)
        keys = space.take(*row.keys.shape)
        multiply(own, row.keys, queries, scale=self._scale)
        multiply(own, row.queries, keys, transpose_a=True, scale=self._scale)
        to_values = self._values(leaving, slice(0, count))
        multiply(row.weights[..., shared:], mixed, to_values, transpose_a=True)
        if also is not None:
            keys += also.keys
            to_values += also.values
        if shared:
            far = scores[..., :shared]
            multiply(far, state.keys, queries, scale=self._scale, add=True)
            multiply(far, row.queries, to_state.keys, transpose_a=True, scale=self._scale, add=True)
            multiply(row.weights[..., :shared], mixed, to_state.values, transpose_a=True, add=True)
        self._positions.turn(
            queries.reshape(heads.queries, count, heads.size).swapaxes(0, 1),
            self._split(leaving, 0, heads.queries),
            shared,
            back=True,
        )
        self._positions.turn(
            keys.swapaxes(0, 1),
            self._split(leaving, heads.queries, heads.groups),
            shared,
            back=True,
        )

    def _split(self, part: np.ndarray, first: int, count: int) -> np.ndarray:
        """Return some heads of (tokens, width) as (tokens, heads, size), without a copy."""
        size = self._heads.size
        return part[:, first * size : (first + count) * size].reshape(len(part), count, size)

    def _values(self, projected: np.ndarray, place: slice) -> np.ndarray:
        """Return a row's values as (groups, tokens, size), without a copy."""
        heads = self._heads
        first = heads.queries + heads.groups
        return self._split(projected[place], first, heads.groups).swapaxes(0, 1)
