"""Attention of packed rows on AMX tiles: all rows of a layer in one compiled call, and so their gradient.

A row's queries meet the shared tokens' keys and its own as one matrix, some tokens at a time and no more keys
than these may see. Scores stay in float32 in the second-level cache until they are weights, and so does the
gradient of weights until it is that of scores, as in FlashAttention (Dao et al., 2022,
https://arxiv.org/abs/2205.14135); weights are kept for the way back, since rows are short.

Covered: bfloat16, and CPUs with AMX-BF16; see `punie_train.training.cpu.attention` for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from punie_train.training.cpu.attention import Attention, State
from punie_train.training.cpu.compiled import compiled, copy, exp, highest, inlined, single, stored
from punie_train.training.cpu.heads import dot
from punie_train.training.cpu.products import Workspace
from punie_train.training.cpu.tile_instructions import BLOCK, CONFIGURATION, STEP
from punie_train.training.cpu.tiles import ROOM, product

TOGETHER = 64
"""Tokens whose queries are looked at together."""
WIDE, VECTORS = 64, 32
"""Keys are padded to a multiple of the first, and of the second in loops, which take so many at a time."""


@compiled
def padded(keys):
    """Return how many keys there are with padding."""
    return (keys + WIDE - 1) // WIDE * WIDE


class TileAttention(Attention):
    """See `punie_train.training.cpu.attention.Attention`."""

    def _take_weights(self, space: Workspace) -> None:
        heads, seen, rows, size = self._heads, self._state.tokens, [], 0
        for place in self._rows.places:
            rows.append((place.start, place.stop, size))
            for first in range(0, place.stop - place.start, TOGETHER):
                last = min(first + TOGETHER, place.stop - place.start)
                size += heads.queries * (last - first) * padded(seen + last)
        self._places = np.array(rows, np.int64).reshape(-1, 3)
        self._weights = space.take(size)

    def _keep_weights(self, rows: Sequence[int], tokens: np.ndarray, space: Workspace) -> None:
        del tokens, space
        of_weights = self._places[rows, 2]
        lengths = self._places[rows, 1] - self._places[rows, 0]
        ends = np.cumsum(lengths)
        self._places = np.stack([ends - lengths, ends, of_weights], axis=1)

    def _scratch(self, space: Workspace) -> tuple[np.ndarray, ...]:
        """Return room for a row's keys and values with the shared ones, and for scores."""
        longest = int(np.max(self._places[:, 1] - self._places[:, 0], initial=0))
        wide, size = padded(self._state.tokens + longest), self._heads.size
        scores = space.take_single(min(longest, TOGETHER) * self._heads.each * wide)
        return space.take(wide, size), space.take(wide, size), scores

    def _room(self, scratch: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Return room for the operands of a product."""
        wide, size = scratch[0].shape
        deep = max(wide, TOGETHER * self._heads.each, size) // STEP + 1
        return ROOM.take(deep, deep * (max(wide, size) // BLOCK + 1))

    def _mix(self, mixed: np.ndarray, space: Workspace) -> None:
        scratch = self._scratch(space)
        _mix(
            (self._queries, self._keys[:, :, 0], self._values[:, :, 0]),
            (self._state.keys, self._state.values),
            (self._places, self._weights),
            mixed,
            scratch,
            (self._room(scratch), CONFIGURATION),
        )

    def _mix_backward(
        self,
        mixed: np.ndarray,
        to: tuple[np.ndarray, np.ndarray, np.ndarray],
        to_state: State,
        space: Workspace,
    ) -> None:
        queries, keys, values = to
        scratch = self._scratch(space)
        of_scores = space.take(len(scratch[2]))
        sums = space.take_single(*scratch[0].shape), space.take_single(*scratch[0].shape)
        _mix_backward(
            (self._queries, self._keys[:, :, 0], self._values[:, :, 0]),
            (self._state.keys, self._state.values),
            (self._places, self._weights),
            mixed,
            (queries, keys[:, :, 0], values[:, :, 0]),
            (to_state.keys, to_state.values),
            (*scratch, of_scores, *sums),
            (self._room(scratch), CONFIGURATION),
        )


@compiled
def _append(before, own, out):
    """Write the shared tokens' rows, a row's own, and zeros."""
    seen, both = len(before), len(before) + len(own)
    copy(before.reshape(-1), out[:seen].reshape(-1))
    copy(own.reshape(-1), out[seen:both].reshape(-1))
    out[both:] = 0


@compiled
def _multiply(a, b, out, turned, add, how):
    """Write or add a product both of whose operands stay as a whole."""
    (room, configuration), depth = how, a.shape[0] if turned[0] else a.shape[1]
    product(a, b, out, turned, add, (depth, out.shape[1]), room, configuration)


@inlined
def _soften(scores, seen, heads, weights):
    """Write weights that sum to one for scores, whose first token sees so many keys, and each one more."""
    for i in range(scores.shape[0]):
        end = seen + i // heads
        row, out = scores[i, : (end + VECTORS - 1) // VECTORS * VECTORS], weights[i]
        row[end:] = -np.inf
        most, total = highest(row, np.float32(-np.inf)), np.float32(0)
        for j in range(row.size):
            row[j] = exp(row[j] - most)
            total += row[j]
        scale = np.float32(1) / total
        for j in range(row.size):
            out[j] = stored(row[j] * scale, out[j])
        out[end:] = 0


@inlined
def _soften_backward(weights, gradient, out):
    """Write the gradient of scores, given weights and theirs."""
    for i in range(weights.shape[0]):
        row, back, to = weights[i], gradient[i], out[i]
        along = dot(row, back)
        for j in range(row.size):
            to[j] = stored(single(row[j]) * (back[j] - along), to[j])


@compiled
def _mix(given, state, kept, mixed, scratch, how):
    (queries, keys, values), (seen_keys, seen_values) = given, state
    places, weights = kept
    all_keys, all_values, scores = scratch
    groups, _, heads, size = queries.shape
    shared = seen_keys.shape[1]
    for place in range(len(places)):
        start, end, at = places[place]
        for g in range(groups):
            _append(seen_keys[g], keys[g, start:end], all_keys)
            _append(seen_values[g], values[g, start:end], all_values)
            for first in range(start, end, TOGETHER):
                last = min(first + TOGETHER, end)
                many, wide = (last - first) * heads, padded(shared + last - start)
                own = weights[at : at + many * wide].reshape(many, wide)
                at += many * wide
                found = scores[: many * wide].reshape(many, wide)
                asked = queries[g, first:last].reshape(many, size)
                told = mixed[g, first:last].reshape(many, size)
                _multiply(asked, all_keys[:wide], found, (False, True), False, how)
                _soften(found, shared + first - start + 1, heads, own)
                _multiply(own, all_values[:wide], told, (False, False), False, how)


@compiled
def _mix_backward(given, state, kept, mixed, to, to_state, scratch, how):
    (queries, keys, values), (seen_keys, seen_values) = given, state
    places, weights = kept
    (to_queries, to_keys, to_values), (to_seen_keys, to_seen_values) = to, to_state
    all_keys, all_values, scores, of_scores, sum_keys, sum_values = scratch
    groups, _, heads, size = queries.shape
    shared = seen_keys.shape[1]
    for place in range(len(places)):
        start, end, at = places[place]
        both = shared + end - start
        for g in range(groups):
            _append(seen_keys[g], keys[g, start:end], all_keys)
            _append(seen_values[g], values[g, start:end], all_values)
            sum_keys[:] = 0
            sum_values[:] = 0
            for first in range(start, end, TOGETHER):
                last = min(first + TOGETHER, end)
                many, wide = (last - first) * heads, padded(shared + last - start)
                own = weights[at : at + many * wide].reshape(many, wide)
                at += many * wide
                found = scores[: many * wide].reshape(many, wide)
                back = of_scores[: many * wide].reshape(many, wide)
                asked = queries[g, first:last].reshape(many, size)
                told = mixed[g, first:last].reshape(many, size)
                of_asked = to_queries[g, first:last].reshape(many, size)
                _multiply(told, all_values[:wide], found, (False, True), False, how)
                _soften_backward(own, found, back)
                _multiply(back, all_keys[:wide], of_asked, (False, False), False, how)
                _multiply(back, asked, sum_keys[:wide], (True, False), True, how)
                _multiply(own, told, sum_values[:wide], (True, False), True, how)
            to_seen_keys[g] += sum_keys[:shared]
            to_seen_values[g] += sum_values[:shared]
            copy(sum_keys[shared:both].reshape(-1), to_keys[g, start:end].reshape(-1))
            copy(sum_values[shared:both].reshape(-1), to_values[g, start:end].reshape(-1))
