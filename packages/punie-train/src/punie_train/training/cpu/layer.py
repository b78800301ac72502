"""One Llama layer on packed tokens, forward and backward, its weights and where their gradients go.

    hidden + o(attention(qkv(norm(hidden))))   then   hidden + down(silu(gate(norm)) · up(norm))

Queries, keys and values are one product, and so are gate and up: their weights lie one after the other.
Frozen layers go forward only and keep nothing.

The hidden states and their gradient are float32. All else is what the workspace gives: float32, or a half
format where products are to be in that. Gradients in float16 are multiplied by `SCALE` on their way, and
divided by it where they are added up (Micikevicius et al., 2017, https://arxiv.org/abs/1710.03740), because
float16 has no numbers below 6e-8; bfloat16 has those of float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from punie_train.training.cpu.attention import Attention, Heads, Rows, State
from punie_train.training.cpu.compiled import BFLOAT16
from punie_train.training.cpu.elementwise import (
    add,
    add_columns,
    add_product,
    add_to,
    convert,
    gate,
    gate_backward,
    gather,
    normalise,
    normalise_backward,
)
from punie_train.training.cpu.heads import Rotation, split
from punie_train.training.cpu.products import Workspace, has_tiles, multiply

SCALE = 16.0
"""What gradients are multiplied by where they are float16."""


def scale_of(space: Workspace) -> float:
    """Return what gradients are multiplied by in a workspace's arrays."""
    return SCALE if space.dtype == np.float16 else 1.0


@dataclass(frozen=True)
class Adapter:
    """A low-rank addition to some outputs of a projection: scale · (x · a) · b.

    Attributes:
        outputs: which outputs.
        a: (inputs, rank).
        b: (rank, outputs).
    """

    outputs: slice
    a: np.ndarray
    b: np.ndarray


def attention_in(dtype: np.dtype) -> type[Attention]:
    """Return the kind of attention that is fastest here for arrays of a type."""
    if dtype == BFLOAT16 and has_tiles():
        from punie_train.training.cpu.tile_attention import TileAttention

        return TileAttention
    return Attention


def in_half(parts: Sequence[np.ndarray], dtype: np.dtype) -> np.ndarray:
    """Return matrices one below the other, in a half format."""
    whole = np.empty((sum(map(len, parts)), parts[0].shape[1]), dtype)
    at = 0
    for part in parts:
        convert(part, whole[at : at + len(part)])
        at += len(part)
    return whole


@dataclass(frozen=True)
class Projection:
    """A linear map without bias, or the gradient of one, which has the same shapes.

    Attributes:
        weight: (outputs, inputs); None in a gradient where the weight is frozen, and where `half` is all
            that is needed.
        adapters: low-rank additions; their products are in float32.
        scale: their factor.
        half: the weight in a half format, where products are to be in that.
    """

    weight: np.ndarray | None
    adapters: Sequence[Adapter] = ()
    scale: float = 1.0
    half: np.ndarray | None = None

    def in_half(self, dtype: np.dtype) -> Projection:
        """Return the same with products in a half format, of the weight as it is now."""
        assert self.weight is not None
        return replace(self, half=in_half([self.weight], dtype))

    @property
    def factor(self) -> np.ndarray:
        """The weight as products take it."""
        found = self.weight if self.half is None else self.half
        assert found is not None
        return found

    def forward(self, x: np.ndarray, out: np.ndarray, space: Workspace) -> None:
        """Write (tokens, outputs) for (tokens, inputs)."""
        multiply(x, self.factor, out, transpose_b=True)
        if not self.adapters:
            return
        mark, whole = space.mark(), _in_single(x, space)
        for adapter in self.adapters:
            narrow = self._narrow(adapter, whole, space)
            wide = space.take_single(len(x), adapter.b.shape[1])
            multiply(narrow, adapter.b, wide, scale=self.scale)
            add_columns(wide, out, adapter.outputs.start)
        space.back(mark)

    def backward(
        self,
        x: np.ndarray,
        arriving: np.ndarray,
        leaving: np.ndarray,
        gradient: Projection,
        space: Workspace,
        *,
        fresh: bool = False,
    ) -> None:
        """Write the gradient of the inputs into `leaving`, and add that of the weights to `gradient`.

        With `fresh` that of the whole weight is overwritten, not added to; those of adapters never are.
        """
        multiply(arriving, self.factor, leaving)
        if gradient.weight is not None:
            scale = 1 / scale_of(space)
            add_product(arriving, x, gradient.weight, space, scale, fresh=fresh)
        if not self.adapters:
            return
        mark = space.mark()
        whole = _in_single(x, space)
        for adapter, to in zip(self.adapters, gradient.adapters, strict=True):
            self._adapter_backward(adapter, whole, arriving, leaving, to, space)
        space.back(mark)

    def _adapter_backward(
        self,
        adapter: Adapter,
        x: np.ndarray,
        arriving: np.ndarray,
        leaving: np.ndarray,
        to: Adapter,
        space: Workspace,
    ) -> None:
        narrow = self._narrow(adapter, x, space)
        part = space.take_single(len(x), adapter.b.shape[1])
        split(arriving, adapter.outputs.start, part[None, :, None])
        scale = self.scale / scale_of(space)
        multiply(narrow, part, to.b, transpose_a=True, scale=scale, add=True)
        multiply(part, adapter.b, narrow, transpose_b=True, scale=scale)
        multiply(x, narrow, to.a, transpose_a=True, add=True)
        wide = space.take_single(*leaving.shape)
        multiply(narrow, adapter.a, wide, transpose_b=True, scale=scale_of(space))
        add(wide, leaving)

    @staticmethod
    def _narrow(adapter: Adapter, x: np.ndarray, space: Workspace) -> np.ndarray:
        narrow = space.take_single(len(x), adapter.a.shape[1])
        multiply(x, adapter.a, narrow)
        return narrow


def _in_single(x: np.ndarray, space: Workspace) -> np.ndarray:
    return x if x.dtype == np.float32 else convert(x, space.take_single(*x.shape))


@dataclass(frozen=True)
class Weights:
    """The weights of a layer, or their gradients, where what is frozen is None.

    Attributes:
        attention_norm: (width,) factor of the first normalisation.
        qkv: queries, keys and values.
        o: the output of attention.
        mlp_norm: (width,) factor of the second normalisation.
        gate_up: gate and up.
        down: down.
    """

    attention_norm: np.ndarray | None
    qkv: Projection
    o: Projection
    mlp_norm: np.ndarray | None
    gate_up: Projection
    down: Projection

    def clear_small(self) -> None:
        """Set all to zero but the whole weights of projections."""
        for norm in (self.attention_norm, self.mlp_norm):
            if norm is not None:
                norm[...] = 0
        for projection in (self.qkv, self.o, self.gate_up, self.down):
            for adapter in projection.adapters:
                adapter.a[...] = adapter.b[...] = 0


@dataclass
class Kept:
    """What the forward pass leaves for the gradient; each is (tokens, ...)."""

    x: np.ndarray
    attention: Attention
    normed: np.ndarray
    rate: np.ndarray
    attended: np.ndarray = field(init=False)
    middle: np.ndarray = field(init=False)
    mlp_normed: np.ndarray = field(init=False)
    mlp_rate: np.ndarray = field(init=False)
    gate_up: np.ndarray = field(init=False)
    active: np.ndarray = field(init=False)

    def keep(self, rows: Sequence[int], tokens: np.ndarray, space: Workspace) -> None:
        """Forget all rows but some, whose tokens' places are given."""
        for name in (each.name for each in fields(self)):
            if name != "attention":
                setattr(self, name, gather(getattr(self, name), tokens, space))
        self.attention.keep(rows, tokens, space)


class Layer:
    """A layer: `forward` or `state` on rows, then `backward` on what they returned.

    Args:
        weights: its weights; they may change between a backward pass and the next forward pass, and those
            in a half format with them.
        heads: the shape of its attention.
        rotation: rotary positions.
        epsilon: added to the mean square before normalisation.
    """

    def __init__(self, weights: Weights, heads: Heads, rotation: Rotation, epsilon: float) -> None:
        self.weights, self.heads = weights, heads
        self._rotation, self._epsilon = rotation, epsilon

    def empty_state(self, tokens: int, dtype: np.dtype | type = np.float32) -> State:
        """Return zeros of the shape of the shared tokens' state."""
        shape = (self.heads.groups, tokens, self.heads.size)
        return State(np.zeros(shape, dtype), np.zeros(shape, dtype))

    def state(self, x: np.ndarray, space: Workspace) -> tuple[State, Kept]:
        """Return keys and values for (tokens, width) shared tokens, all in one row."""
        nothing = self.empty_state(0, space.dtype)
        kept = self._project(x, nothing, Rows([len(x)], 0), space)
        return kept.attention.state, kept

    def forward(
        self, x: np.ndarray, state: State, rows: Rows, out: np.ndarray, space: Workspace
    ) -> Kept:
        """Write (tokens, width) outputs of packed rows into `out`, which may not be `x`.

        What is returned lies in `space`; the caller gives it back when no gradient is wanted any more.
        """
        weights, mlp_norm = self.weights, self.weights.mlp_norm
        assert mlp_norm is not None
        kept = self._project(x, state, rows, space)
        kept.attended = space.take(len(x), self.heads.query_width)
        kept.attention.forward(kept.attended, space)
        kept.middle = space.take_single(*x.shape)
        self._add_projected(x, weights.o, kept.attended, kept.middle, space)
        kept.mlp_normed, kept.mlp_rate = self._norm(kept.middle, mlp_norm, space)
        inner = weights.down.factor.shape[1]
        kept.gate_up, kept.active = space.take(len(x), 2 * inner), space.take(len(x), inner)
        weights.gate_up.forward(kept.mlp_normed, kept.gate_up, space)
        gate(kept.gate_up, kept.active)
        self._add_projected(kept.middle, weights.down, kept.active, out, space)
        return kept

    @staticmethod
    def _add_projected(
        x: np.ndarray, projection: Projection, of: np.ndarray, out: np.ndarray, space: Workspace
    ) -> None:
        """Write `x` and a projection of something else, added, into `out`."""
        mark = space.mark()
        projected = space.take(*x.shape)
        projection.forward(of, projected, space)
        add_to(x, projected, out)
        space.back(mark)

    def backward(
        self,
        kept: Kept,
        hidden: np.ndarray,
        gradient: Weights,
        to_state: State,
        space: Workspace,
        also: State | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        """Turn the gradient of the outputs, in `hidden`, into that of the inputs, in place.

        Args:
            kept: what `forward` returned; what it holds is overwritten.
            hidden: (tokens, width).
            gradient: is added to.
            to_state: gradient of the shared tokens' state, is added to.
            space: for what is needed in between.
            also: gradient that arrives at the only row's own keys and values from other rows.
            fresh: overwrite `gradient`, whatever is in it: adding takes the time of reading it.
        """
        weights, mark = self.weights, space.mark()
        if fresh:
            gradient.clear_small()
        arriving, back = space.take(*hidden.shape), space.take(*hidden.shape)
        of_active = space.take(*kept.active.shape)
        convert(hidden, arriving)
        weights.down.backward(kept.active, arriving, of_active, gradient.down, space, fresh=fresh)
        gate_backward(kept.gate_up, of_active)
        weights.gate_up.backward(
            kept.mlp_normed, kept.gate_up, back, gradient.gate_up, space, fresh=fresh
        )
        self._norm_backward(
            (kept.middle, kept.mlp_rate, weights.mlp_norm), back, hidden, gradient.mlp_norm, space
        )
        of_attended = space.take(*kept.attended.shape)
        convert(hidden, arriving)
        weights.o.backward(kept.attended, arriving, of_attended, gradient.o, space, fresh=fresh)
        of_projected = space.take(len(hidden), self.heads.width)
        kept.attention.backward(of_attended, of_projected, to_state, space, also)
        self._projected_backward(kept, of_projected, hidden, back, gradient, space, fresh=fresh)
        space.back(mark)

    def backward_of_state(
        self, kept: Kept, arriving: State, hidden: np.ndarray, gradient: Weights, space: Workspace
    ) -> None:
        """Write the gradient of the inputs into `hidden`, where only `state` was computed of them."""
        mark = space.mark()
        of_projected = space.take(len(hidden), self.heads.width)
        kept.attention.backward_of_state(arriving, of_projected, space)
        hidden[...] = 0
        back = space.take(*hidden.shape)
        self._projected_backward(kept, of_projected, hidden, back, gradient, space)
        space.back(mark)

    def _project(self, x: np.ndarray, state: State, rows: Rows, space: Workspace) -> Kept:
        assert self.weights.attention_norm is not None
        normed, rate = self._norm(x, self.weights.attention_norm, space)
        projected = space.take(len(x), self.heads.width)
        self.weights.qkv.forward(normed, projected, space)
        attend = attention_in(space.dtype)
        attention = attend(self.heads, self._rotation, state, rows, projected, space)
        return Kept(x, attention, normed, rate)

    def _projected_backward(
        self,
        kept: Kept,
        of_projected: np.ndarray,
        hidden: np.ndarray,
        back: np.ndarray,
        gradient: Weights,
        space: Workspace,
        *,
        fresh: bool = False,
    ) -> None:
        weights = self.weights
        weights.qkv.backward(kept.normed, of_projected, back, gradient.qkv, space, fresh=fresh)
        self._norm_backward(
            (kept.x, kept.rate, weights.attention_norm),
            back,
            hidden,
            gradient.attention_norm,
            space,
        )

    def _norm(
        self, x: np.ndarray, factor: np.ndarray, space: Workspace
    ) -> tuple[np.ndarray, np.ndarray]:
        normed, rate = space.take(*x.shape), space.take_single(len(x))
        normalise(x, factor, self._epsilon, normed, rate)
        return normed, rate

    @staticmethod
    def _norm_backward(
        given: tuple[np.ndarray, np.ndarray, np.ndarray | None],
        arriving: np.ndarray,
        hidden: np.ndarray,
        gradient: np.ndarray | None,
        space: Workspace,
    ) -> None:
        x, rate, factor = given
        assert factor is not None
        scale = 1 / scale_of(space)
        normalise_backward(x, rate, factor, arriving, hidden, gradient, scale)
