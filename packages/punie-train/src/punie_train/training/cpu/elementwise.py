"""What is computed for each number or token between products: sums, conversions, normalisation, gates.

Arrays are contiguous and float32 or a half format, in any mixture; sums are in float32.
"""

from __future__ import annotations

import numpy as np

from punie_train.training.cpu.compiled import bits, compiled, copy, exp, single, stored
from punie_train.training.cpu.products import Workspace, multiply

# --- sums and conversions ---------------------------------------------------------------------------------


@compiled
def _add(x, scale, out):
    for i in range(out.size):
        out[i] = stored(single(out[i]) + scale * single(x[i]), out[i])


@compiled
def _add_to(x, y, out):
    for i in range(out.size):
        out[i] = x[i] + single(y[i])


@compiled
def _add_columns(x, out, first):
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[t, first + j] = stored(single(out[t, first + j]) + single(x[t, j]), out[t, j])


def convert(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write one array's numbers into another of the same size, and return that."""
    copy(bits(x).reshape(-1), bits(out).reshape(-1))
    return out


def add(x: np.ndarray, out: np.ndarray, scale: float = 1.0) -> None:
    """Add `scale` · x to `out`."""
    _add(bits(x).reshape(-1), np.float32(scale), bits(out).reshape(-1))


def add_to(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """Write x + y into `out`, which is float32 as `x` is."""
    _add_to(x.reshape(-1), bits(y).reshape(-1), out.reshape(-1))


def add_product(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    space: Workspace,
    scale: float = 1.0,
    *,
    fresh: bool = False,
) -> None:
    """Add `scale` · aᵀ · b, whose sums are over all tokens, to float32 numbers; stacks are allowed.

    A product of float16 is made on its own first, since MKL adds none to float32. With `fresh` the numbers
    are overwritten, whatever they were.
    """
    if a.dtype != np.float16:
        assert scale == 1.0
        multiply(a, b, out, transpose_a=True, add=not fresh)
        return
    mark = space.mark()
    product = space.take(*out.shape)
    multiply(a, b, product, transpose_a=True)
    if fresh:
        out[...] = 0
    add(product, out, scale)
    space.back(mark)


def gather(x: np.ndarray, places: np.ndarray, space: Workspace, axis: int = 0) -> np.ndarray:
    """Move what lies at increasing places of an axis together at the start of an array's own memory.

    Returns:
        What was moved; the array itself is overwritten.
    """
    mark = space.mark()
    shape = list(x.shape)
    shape[axis] = len(places)
    part = space.take_like(x, *shape)
    np.take(x, places, axis, part, mode="clip")
    moved = x.reshape(-1)[: part.size].reshape(shape)
    moved[...] = part
    space.back(mark)
    return moved


def add_columns(x: np.ndarray, out: np.ndarray, first: int) -> None:
    """Add (rows, columns) to some columns of `out`, the first of which is given."""
    _add_columns(bits(x), bits(out), first)


# --- normalisation by the root mean square (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467) ---


@compiled
def _normalise(x, factor, epsilon, out, rate):
    width = x.shape[1]
    for t in range(x.shape[0]):
        squares = np.float32(0)
        for j in range(width):
            squares += x[t, j] * x[t, j]
        rate[t] = np.float32(1) / np.sqrt(squares / np.float32(width) + epsilon)
        for j in range(width):
            out[t, j] = stored(x[t, j] * rate[t] * factor[j], out[t, j])


@compiled
def _normalise_backward(x, rate, factor, arriving, hidden, scale, gradient):
    width, learned = x.shape[1], gradient.size > 0
    for t in range(x.shape[0]):
        along, r = np.float32(0), rate[t]
        for j in range(width):
            along += single(arriving[t, j]) * factor[j] * x[t, j]
        along *= r * r * r / np.float32(width)
        for j in range(width):
            hidden[t, j] += single(arriving[t, j]) * factor[j] * r - x[t, j] * along
        if learned:
            for j in range(width):
                gradient[j] += scale * r * single(arriving[t, j]) * x[t, j]


def normalise(
    x: np.ndarray, factor: np.ndarray, epsilon: float, out: np.ndarray, rate: np.ndarray
) -> None:
    """Normalise (tokens, width) float32 by each token's root mean square, times a factor.

    Args:
        x: inputs.
        factor: (width,).
        epsilon: added to the mean square.
        out: outputs, like `x`.
        rate: (tokens,), what each token was multiplied by.
    """
    _normalise(x, factor, np.float32(epsilon), bits(out), rate)


_NOTHING = np.empty(0, np.float32)


def normalise_backward(
    x: np.ndarray,
    rate: np.ndarray,
    factor: np.ndarray,
    arriving: np.ndarray,
    hidden: np.ndarray,
    gradient: np.ndarray | None,
    scale: float = 1.0,
) -> None:
    """Add the gradient of `x` to `hidden`, and `scale` times that of the factor to `gradient` unless None."""
    learned = _NOTHING if gradient is None else gradient
    _normalise_backward(x, rate, factor, bits(arriving), hidden, np.float32(scale), learned)


# --- silu(gate) · up (Shazeer, 2020, https://arxiv.org/abs/2002.05202) ------------------------------------


@compiled
def _gate(gate_up, out):
    inner = out.shape[1]
    for t in range(out.shape[0]):
        for j in range(inner):
            gate = single(gate_up[t, j])
            silu = gate / (np.float32(1) + exp(-gate))
            out[t, j] = stored(silu * single(gate_up[t, inner + j]), out[t, j])


@compiled
def _gate_backward(gate_up, arriving):
    inner = arriving.shape[1]
    for t in range(arriving.shape[0]):
        for j in range(inner):
            gate, up = single(gate_up[t, j]), single(gate_up[t, inner + j])
            sigmoid = np.float32(1) / (np.float32(1) + exp(-gate))
            silu, gradient = gate * sigmoid, single(arriving[t, j])
            slope = sigmoid + silu * (np.float32(1) - sigmoid)
            gate_up[t, j] = stored(gradient * up * slope, gate_up[t, j])
            gate_up[t, inner + j] = stored(gradient * silu, gate_up[t, j])


def gate(gate_up: np.ndarray, out: np.ndarray) -> None:
    """Write (tokens, inner) silu(gate) · up for (tokens, 2 · inner) gates and ups side by side."""
    _gate(bits(gate_up), bits(out))


def gate_backward(gate_up: np.ndarray, arriving: np.ndarray) -> None:
    """Replace gates and ups by their gradients."""
    _gate_backward(bits(gate_up), bits(arriving))
