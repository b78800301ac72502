"""One Llama layer on packed tokens, forward and backward, its weights and where their gradients go.

    hidden + o(attention(qkv(norm(hidden))))   then   hidden + down(silu(gate(norm)) · up(norm))

Queries, keys and values are one product, and so are gate and up: their weights lie one after the other.
Frozen layers go forward only and keep nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from punie_train.training.cpu.attention import Attention, Heads, Positions, State
from punie_train.training.cpu.products import Workspace, convert, multiply, multiply_half

ROWS = 64
"""Tokens that element-wise work takes at a time, so that its arrays stay in the second-level cache."""


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


@dataclass(frozen=True)
class Inputs:
    """What a projection was given: (tokens, inputs), and the same in float16 where its product is."""

    whole: np.ndarray
    half: np.ndarray | None = None


@dataclass(frozen=True)
class Projection:
    """A linear map without bias, or the gradient of one, which has the same shapes.

    Attributes:
        weight: (outputs, inputs); None in a gradient where the weight is frozen.
        adapters: low-rank additions.
        scale: their factor.
        half: the weight in float16, where products are to be in float16; adapters' never are.
    """

    weight: np.ndarray | None
    adapters: Sequence[Adapter] = ()
    scale: float = 1.0
    half: np.ndarray | None = None

    def in_half(self, half: np.ndarray | None = None) -> Projection:
        """Return the same with products in float16: of that array, or of the weight as it is now."""
        assert self.weight is not None
        if half is None:
            half = convert(self.weight, np.empty(self.weight.shape, np.float16))
        return replace(self, half=half)

    def forward(
        self, x: np.ndarray, out: np.ndarray, space: Workspace, add: bool = False
    ) -> Inputs:
        """Write (tokens, outputs) for (tokens, inputs), or add it; what is returned lies in `space`."""
        assert self.weight is not None
        if self.half is None:
            inputs = Inputs(x)
            multiply(x, self.weight, out, transpose_b=True, add=add)
        else:
            inputs = Inputs(x, convert(x, space.take_half(*x.shape)))
            self._product(inputs.half, self.half, out, space, add=add, transpose_b=True)
        for adapter in self.adapters:
            mark = space.mark()
            narrow = self._narrow(adapter, x, space)
            multiply(narrow, adapter.b, out[:, adapter.outputs], scale=self.scale, add=True)
            space.back(mark)
        return inputs

    def backward(
        self,
        inputs: Inputs,
        arriving: np.ndarray,
        leaving: np.ndarray,
        gradient: Projection,
        space: Workspace,
    ) -> None:
        """Write the gradient of the inputs into `leaving`, and add that of the weights to `gradient`."""
        assert self.weight is not None
        x, mark = inputs.whole, space.mark()
        if self.half is None:
            multiply(arriving, self.weight, leaving)
            if gradient.weight is not None:
                multiply(arriving, x, gradient.weight, transpose_a=True, add=True)
        else:
            half = convert(arriving, space.take_half(*arriving.shape))
            self._product(half, self.half, leaving, space)
            if gradient.weight is not None:
                self._product(half, inputs.half, gradient.weight, space, add=True, transpose_a=True)
        space.back(mark)
        for adapter, to in zip(self.adapters, gradient.adapters, strict=True):
            mark, part = space.mark(), arriving[:, adapter.outputs]
            narrow = self._narrow(adapter, x, space)
            multiply(narrow, part, to.b, transpose_a=True, scale=self.scale, add=True)
            multiply(part, adapter.b, narrow, transpose_b=True, scale=self.scale)
            multiply(x, narrow, to.a, transpose_a=True, add=True)
            multiply(narrow, adapter.a, leaving, transpose_b=True, add=True)
            space.back(mark)

    @staticmethod
    def _product(
        a: np.ndarray | None,
        b: np.ndarray | None,
        out: np.ndarray,
        space: Workspace,
        *,
        add: bool = False,
        transpose_a: bool = False,
        transpose_b: bool = False,
    ) -> None:
        """Write the float32 numbers of a float16 product, or add them."""
        assert a is not None
        assert b is not None
        mark = space.mark()
        product = space.take_half(*out.shape)
        multiply_half(a, b, product, transpose_a=transpose_a, transpose_b=transpose_b)
        if add:
            out += convert(product, space.take(*out.shape))
        else:
            convert(product, out)
        space.back(mark)

    @staticmethod
    def _narrow(adapter: Adapter, x: np.ndarray, space: Workspace) -> np.ndarray:
        narrow = space.take(len(x), adapter.a.shape[1])
        multiply(x, adapter.a, narrow)
        return narrow


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


@dataclass
class _Kept:
    """What the forward pass leaves for the gradient; each is (tokens, ...)."""

    x: np.ndarray
    attention: Attention
    normed: Inputs
    rate: np.ndarray
    projected: np.ndarray
    attended: Inputs = field(init=False)
    middle: np.ndarray = field(init=False)
    mlp_normed: Inputs = field(init=False)
    mlp_rate: np.ndarray = field(init=False)
    gate_up: np.ndarray = field(init=False)
    sigmoid: np.ndarray = field(init=False)
    active: Inputs = field(init=False)


class Layer:
    """A layer: `forward` or `state` on rows, then `backward` on what they returned.

    Args:
        weights: its weights; they may change between a backward pass and the next forward pass, and those
            in float16 with them.
        heads: the shape of its attention.
        positions: rotary positions and the mask.
        epsilon: added to the mean square before normalisation.
    """

    def __init__(
        self, weights: Weights, heads: Heads, positions: Positions, epsilon: float
    ) -> None:
        self.weights, self.heads = weights, heads
        self._positions, self._epsilon = positions, epsilon

    def empty_state(self, tokens: int) -> State:
        """Return zeros of the shape of the shared tokens' state."""
        shape = (self.heads.groups, tokens, self.heads.size)
        return State(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def state(self, x: np.ndarray, space: Workspace) -> tuple[State, _Kept]:
        """Return keys and values for (tokens, width) shared tokens, all in one row."""
        kept = self._project(x, self.empty_state(0), [slice(0, len(x))], space)
        return kept.attention.state(kept.projected, space), kept

    def forward(
        self, x: np.ndarray, state: State, rows: Sequence[slice], out: np.ndarray, space: Workspace
    ) -> _Kept:
        """Write (tokens, width) outputs of packed rows into `out`, which may not be `x`.

        What is returned lies in `space`; the caller gives it back when no gradient is wanted any more.
        """
        weights = self.weights
        kept = self._project(x, state, rows, space)
        attended = space.take(len(x), self.heads.query_width)
        kept.attention.forward(kept.projected, attended, space)
        kept.middle = space.take(*x.shape)
        kept.middle[...] = x
        kept.attended = weights.o.forward(attended, kept.middle, space, add=True)
        assert weights.mlp_norm is not None
        assert weights.down.weight is not None
        inner = weights.down.weight.shape[1]
        normed, kept.mlp_rate = self._norm(kept.middle, weights.mlp_norm, space)
        kept.gate_up = space.take(len(x), 2 * inner)
        kept.mlp_normed = weights.gate_up.forward(normed, kept.gate_up, space)
        kept.sigmoid, active = space.take(len(x), inner), space.take(len(x), inner)
        for at in range(0, len(x), ROWS):
            part = slice(at, at + ROWS)
            _gate(kept.gate_up[part], kept.sigmoid[part], active[part])
        out[...] = kept.middle
        kept.active = weights.down.forward(active, out, space, add=True)
        return kept

    def backward(
        self,
        kept: _Kept,
        hidden: np.ndarray,
        gradient: Weights,
        to_state: State,
        space: Workspace,
        also: State | None = None,
    ) -> None:
        """Turn the gradient of the outputs, in `hidden`, into that of the inputs, in place.

        Args:
            kept: what `forward` returned; what it holds is overwritten.
            hidden: (tokens, width).
            gradient: is added to.
            to_state: gradient of the shared tokens' state, is added to.
            space: for what is needed in between.
            also: gradient that arrives at the only row's own keys and values from other rows.
        """
        weights, mark = self.weights, space.mark()
        of_active = space.take(*kept.active.whole.shape)
        weights.down.backward(kept.active, hidden, of_active, gradient.down, space)
        for at in range(0, len(hidden), ROWS):
            part = slice(at, at + ROWS)
            _gate_backward(kept.gate_up[part], kept.sigmoid[part], of_active[part])
        back = space.take(*hidden.shape)
        weights.gate_up.backward(kept.mlp_normed, kept.gate_up, back, gradient.gate_up, space)
        self._norm_backward(
            kept.middle, kept.mlp_rate, weights.mlp_norm, back, hidden, gradient.mlp_norm
        )
        of_attended = space.take(*kept.attended.whole.shape)
        weights.o.backward(kept.attended, hidden, of_attended, gradient.o, space)
        of_projected = space.take(*kept.projected.shape)
        kept.attention.backward(
            kept.projected, kept.attended.whole, of_attended, of_projected, to_state, space, also
        )
        self._projected_backward(kept, of_projected, hidden, back, gradient, space)
        space.back(mark)

    def backward_of_state(
        self, kept: _Kept, arriving: State, hidden: np.ndarray, gradient: Weights, space: Workspace
    ) -> None:
        """Write the gradient of the inputs into `hidden`, where only `state` was computed of them."""
        mark = space.mark()
        of_projected = space.take(*kept.projected.shape)
        kept.attention.backward_of_state(arriving, of_projected)
        hidden[...] = 0
        self._projected_backward(
            kept, of_projected, hidden, space.take(*hidden.shape), gradient, space
        )
        space.back(mark)

    def _project(
        self, x: np.ndarray, state: State, rows: Sequence[slice], space: Workspace
    ) -> _Kept:
        assert self.weights.attention_norm is not None
        normed, rate = self._norm(x, self.weights.attention_norm, space)
        projected = space.take(len(x), self.heads.width)
        inputs = self.weights.qkv.forward(normed, projected, space)
        attention = Attention(self.heads, self._positions, state, rows)
        return _Kept(x, attention, inputs, rate, projected)

    def _projected_backward(
        self,
        kept: _Kept,
        of_projected: np.ndarray,
        hidden: np.ndarray,
        back: np.ndarray,
        gradient: Weights,
        space: Workspace,
    ) -> None:
        weights = self.weights
        weights.qkv.backward(kept.normed, of_projected, back, gradient.qkv, space)
        self._norm_backward(
            kept.x, kept.rate, weights.attention_norm, back, hidden, gradient.attention_norm
        )

    def _norm(
        self, x: np.ndarray, factor: np.ndarray, space: Workspace
    ) -> tuple[np.ndarray, np.ndarray]:
        normed, rate = space.take(*x.shape), space.take(len(x), 1)
        root_mean_square(x, factor, self._epsilon, normed, rate)
        return normed, rate

    @staticmethod
    def _norm_backward(
        x: np.ndarray,
        rate: np.ndarray,
        factor: np.ndarray | None,
        arriving: np.ndarray,
        hidden: np.ndarray,
        gradient: np.ndarray | None,
    ) -> None:
        assert factor is not None
        root_mean_square_backward(x, rate, factor, arriving, hidden, gradient)


def root_mean_square(
    x: np.ndarray, factor: np.ndarray, epsilon: float, out: np.ndarray, rate: np.ndarray
) -> None:
    """Normalise (tokens, width) by its root mean square (Zhang and Sennrich, 2019), times a factor.

    Args:
        x: inputs.
        factor: (width,).
        epsilon: added to the mean square.
        out: outputs, like `x`.
        rate: (tokens, 1), what each token was multiplied by.
    """
    np.einsum("td,td->t", x, x, out=rate[:, 0])
    rate /= x.shape[1]
    rate += epsilon
    np.sqrt(rate, out=rate)
    np.reciprocal(rate, out=rate)
    np.multiply(x, rate, out=out)
    out *= factor


def root_mean_square_backward(
    x: np.ndarray,
    rate: np.ndarray,
    factor: np.ndarray,
    arriving: np.ndarray,
    hidden: np.ndarray,
    gradient: np.ndarray | None,
) -> None:
    """Add the gradient of `x` to `hidden`, and that of the factor to `gradient`; overwrites `arriving`."""
    along, products = np.empty_like(rate), arriving * x
    if gradient is not None:
        multiply(rate, products, gradient[None], transpose_a=True, add=True)
    multiply(products, factor[:, None], along)
    along *= rate**3 / x.shape[1]
    arriving *= factor
    arriving *= rate
    hidden += arriving
    hidden -= x * along


def _gate(gate_up: np.ndarray, sigmoid: np.ndarray, out: np.ndarray) -> None:
    """Write silu(gate) · up into `out`, and the gate's sigmoid beside it."""
    inner = out.shape[1]
    gate, up = gate_up[:, :inner], gate_up[:, inner:]
    np.negative(gate, out=sigmoid)
    with np.errstate(over="ignore"):  # one over infinity is the 0 it should be
        np.exp(sigmoid, out=sigmoid)
    sigmoid += 1
    np.reciprocal(sigmoid, out=sigmoid)
    np.multiply(gate, sigmoid, out=out)
    out *= up


def _gate_backward(gate_up: np.ndarray, sigmoid: np.ndarray, arriving: np.ndarray) -> None:
    """Replace gate and up by their gradients; overwrites all three."""
    inner = arriving.shape[1]
    gate, up = gate_up[:, :inner], gate_up[:, inner:]
    gate *= sigmoid  # silu
    slope = gate * sigmoid
    np.subtract(gate, slope, out=slope)
    slope += sigmoid  # sigmoid + silu · (1 - sigmoid)
    slope *= up
    np.multiply(arriving, gate, out=up)
    np.multiply(arriving, slope, out=gate)
