"""Attention of packed rows, all of which also see the shared tokens, and its gradient.

Queries lie as (groups, tokens, heads of a group, size), so that those of a group are one matrix of tokens
times heads, for one row as for all of them: scores of the shared tokens are one product for all rows, and
those of a row's own tokens one for each row.

Covered: grouped queries, rotary positions (halves, as in Llama), full causal attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from punie_train.training.cpu.elementwise import add, add_product, convert, gather
from punie_train.training.cpu.heads import Rotation, join, soften, soften_backward, split
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
    def each(self) -> int:
        """Query heads of a group."""
        return self.queries // self.groups

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


class Rows:
    """Where rows lie among packed tokens.

    Args:
        lengths: how many tokens each has.
        first: how many tokens come before each, which are not among them.

    Attributes:
        places: each row's tokens.
        positions: (tokens,) each token's position in its text.
    """

    def __init__(self, lengths: Sequence[int], first: int) -> None:
        self._lengths, self._first = list(lengths), first
        ends = np.cumsum([0, *lengths])
        self.places = [slice(int(at), int(end)) for at, end in pairwise(ends)]
        self.positions = np.concatenate([np.arange(first, first + length) for length in lengths])

    def only(self, rows: Sequence[int]) -> Rows:
        """Return where some of them lie once the tokens of all others are gone."""
        return Rows([self._lengths[row] for row in rows], self._first)

    def tokens_of(self, rows: Sequence[int]) -> np.ndarray:
        """Return the places of some rows' tokens."""
        places = [np.arange(self.places[row].start, self.places[row].stop) for row in rows]
        return np.concatenate(places)


@dataclass(frozen=True)
class State:
    """Keys (rotated) and values of the shared tokens in one layer, each (groups, tokens, size)."""

    keys: np.ndarray
    values: np.ndarray

    @property
    def tokens(self) -> int:
        """How many shared tokens there are."""
        return self.keys.shape[1]


class Attention:
    """Attention of one layer's packed rows: `forward`, then `backward` once.

    Args:
        heads: the shape.
        rotation: turns queries and keys.
        state: the shared tokens' keys and values.
        rows: where each row lies among the packed tokens.
        projected: (tokens, width) queries, keys and values side by side.
        space: for what the gradient needs.
    """

    def __init__(
        self,
        heads: Heads,
        rotation: Rotation,
        state: State,
        rows: Rows,
        projected: np.ndarray,
        space: Workspace,
    ) -> None:
        self._heads, self._rotation, self._state, self._rows = heads, rotation, state, rows
        tokens, keys = len(projected), (heads.groups, len(projected), 1, heads.size)
        self._scale = heads.size**-0.5
        self._queries = space.take(heads.groups, tokens, heads.each, heads.size)
        self._keys, self._values = space.take(*keys), space.take(*keys)
        rotation.split(projected, 0, rows.positions, self._queries, self._scale)
        rotation.split(projected, heads.query_width, rows.positions, self._keys)
        split(projected, heads.query_width + heads.key_width, self._values)
        self._take_weights(space)

    def _take_weights(self, space: Workspace) -> None:
        """Take what the weights of `forward` are kept in."""
        heads, far = self._heads, self._queries.shape[1] * self._heads.each
        self._far = space.take(heads.groups, far, self._state.tokens)
        tokens = [place.stop - place.start for place in self._rows.places]
        self._own = [space.take(heads.groups, each * heads.each, each) for each in tokens]

    @property
    def state(self) -> State:
        """Keys and values of the tokens, for rows that come after them."""
        return State(self._keys[:, :, 0], self._values[:, :, 0])

    def _of(self, array: np.ndarray, place: slice) -> np.ndarray:
        """Return a row's part of (groups, tokens, heads, size), as one matrix for each group."""
        groups, size = array.shape[0], array.shape[-1]
        return array[:, place].reshape(groups, -1, size)

    def forward(self, out: np.ndarray, space: Workspace) -> None:
        """Write (tokens, query width) outputs."""
        mark = space.mark()
        mixed = space.take(*self._queries.shape)
        self._mix(mixed, space)
        join(mixed, out)
        space.back(mark)

    def _mix(self, mixed: np.ndarray, space: Workspace) -> None:
        """Write the outputs of each head, and keep the weights."""
        del space
        state, everywhere = self._state, slice(None)
        queries = self._of(self._queries, everywhere)
        multiply(queries, state.keys, self._far, transpose_b=True)
        for place, own in zip(self._rows.places, self._own, strict=True):
            multiply(
                self._of(self._queries, place), self._of(self._keys, place), own, transpose_b=True
            )
            soften(self._far, own, place.start * self._heads.each)
            multiply(own, self._of(self._values, place), self._of(mixed, place))
        if state.tokens:
            multiply(self._far, state.values, self._of(mixed, everywhere), add=True)

    def keep(self, rows: Sequence[int], tokens: np.ndarray, space: Workspace) -> None:
        """Forget all rows but some, after `forward`.

        Args:
            rows: which.
            tokens: the places of their tokens.
            space: for what is needed in between.
        """
        self._keep_weights(rows, tokens, space)
        self._queries = gather(self._queries, tokens, space, 1)
        self._keys = gather(self._keys, tokens, space, 1)
        self._values = gather(self._values, tokens, space, 1)
        self._rows = self._rows.only(rows)

    def _keep_weights(self, rows: Sequence[int], tokens: np.ndarray, space: Workspace) -> None:
        groups, each, seen = self._heads.groups, self._heads.each, self._state.tokens
        before = self._queries.shape[1]
        far = gather(self._far.reshape(groups, before, each * seen), tokens, space, 1)
        self._far = far.reshape(groups, len(tokens) * each, seen)
        self._own = [self._own[row] for row in rows]

    def backward(
        self,
        arriving: np.ndarray,
        leaving: np.ndarray,
        to_state: State,
        space: Workspace,
        also: State | None = None,
    ) -> None:
        """Write the gradient of what was projected into `leaving`, and add that of the state to `to_state`.

        Args:
            arriving: (tokens, query width) gradient of the outputs.
            leaving: (tokens, width), is overwritten.
            to_state: gradients of the shared tokens' keys and values, are added to.
            space: for what is needed in between.
            also: gradients of the only row's own keys and values that arrive from other rows.
        """
        mark = space.mark()
        mixed, queries = space.take(*self._queries.shape), space.take(*self._queries.shape)
        keys, values = space.take(*self._keys.shape), space.take(*self._values.shape)
        split(arriving, 0, mixed)
        self._mix_backward(mixed, (queries, keys, values), to_state, space)
        if also is not None:
            add(also.keys, keys)
            add(also.values, values)
        self._rotation.join(queries, self._rows.positions, leaving, scale=self._scale)
        self._join_state(keys, values, leaving)
        space.back(mark)

    def _mix_backward(
        self,
        mixed: np.ndarray,
        to: tuple[np.ndarray, np.ndarray, np.ndarray],
        to_state: State,
        space: Workspace,
    ) -> None:
        """Write the gradients of queries, keys and values, given that of `_mix`'s outputs."""
        (queries, keys, values), heads = to, self._heads
        state, everywhere = self._state, slice(None)
        far = space.take(*self._far.shape)
        multiply(self._of(mixed, everywhere), state.values, far, transpose_b=True)
        for place, own in zip(self._rows.places, self._own, strict=True):
            back, of_mixed = space.mark(), self._of(mixed, place)
            scores = space.take(*own.shape)
            multiply(of_mixed, self._of(self._values, place), scores, transpose_b=True)
            soften_backward(self._far, own, far, scores, place.start * heads.each)
            multiply(scores, self._of(self._keys, place), self._of(queries, place))
            multiply(
                scores, self._of(self._queries, place), self._of(keys, place), transpose_a=True
            )
            multiply(own, of_mixed, self._of(values, place), transpose_a=True)
            space.back(back)
        if state.tokens:
            multiply(far, state.keys, self._of(queries, everywhere), add=True)
            add_product(far, self._of(self._queries, everywhere), to_state.keys, space)
            add_product(self._far, self._of(mixed, everywhere), to_state.values, space)

    def backward_of_state(self, arriving: State, leaving: np.ndarray, space: Workspace) -> None:
        """Write the gradient of what was projected into `leaving`, where only `state` was made of it."""
        leaving[:, : self._heads.query_width] = 0
        mark = space.mark()
        keys, values = space.take(*self._keys.shape), space.take(*self._values.shape)
        self._join_state(convert(arriving.keys, keys), convert(arriving.values, values), leaving)
        space.back(mark)

    def _join_state(self, keys: np.ndarray, values: np.ndarray, leaving: np.ndarray) -> None:
        self._rotation.join(keys, self._rows.positions, leaving, self._heads.query_width)
        join(values, leaving, self._heads.query_width + self._heads.key_width)
