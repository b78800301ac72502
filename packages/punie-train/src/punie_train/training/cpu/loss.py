"""The cross entropy of supervised tokens and its gradient in one pass; logits are never kept.

Most of a vocabulary is out of the question at all positions of a chunk: its probabilities are below what a
half format can add to the others. In such formats those tokens are left out of the way back, as in Cut Your
Losses (Wijmans et al., 2024, https://arxiv.org/abs/2411.09009), which leaves a tenth of the product.

Covered: a frozen output layer, tied to the embeddings or not.
"""

from __future__ import annotations

import numpy as np

from punie_train.training.cpu.compiled import (
    bits,
    compiled,
    highest,
    scale_exponentials,
    single,
    stored,
    sum_of_exponentials,
)
from punie_train.training.cpu.layer import Projection, scale_of
from punie_train.training.cpu.products import Workspace, multiply

CHUNK = 256
"""Positions whose logits exist at one time on a core (25 MB in a half format for a vocabulary of 49 152)."""

LEAST = 2.0**-15
"""Probability below which a token has no part in the gradient of a half format: the gradient is then off by
0.6 percent (root mean square) where the format's own rounding takes 0.4."""

_NO_GRADIENT = Projection(None)


def losses_and_gradient(
    hidden: np.ndarray,
    output: Projection,
    targets: np.ndarray,
    weights: np.ndarray,
    space: Workspace,
) -> np.ndarray:
    """Return (positions,) weighted losses in nats, and replace the hidden states by their sum's gradient.

    Args:
        hidden: (positions, width), the normalised outputs of the last layer, as `space` gives them.
        output: the output layer, to (positions, vocabulary).
        targets: (positions,) token ids.
        weights: (positions,) what each counts, in float32.
        space: for the logits of a chunk.
    """
    losses = np.empty(len(hidden))
    for at in range(0, len(hidden), CHUNK):
        chunk = slice(at, at + CHUNK)
        part = hidden[chunk]
        mark = space.mark()
        logits = space.take(len(part), len(output.factor))
        output.forward(part, logits, space)
        scale, matters = np.float32(scale_of(space)), np.zeros(logits.shape[1], np.bool_)
        given = targets[chunk], weights[chunk], scale
        _cross_entropy(bits(logits), *given, losses[chunk], np.float32(LEAST), matters)
        if output.half is None:
            output.backward(part, logits, part, _NO_GRADIENT, space)
        else:
            _backward_of_some(output, logits, np.flatnonzero(matters), part, space)
        space.back(mark)
    return losses


def _backward_of_some(
    output: Projection, logits: np.ndarray, tokens: np.ndarray, hidden: np.ndarray, space: Workspace
) -> None:
    """Write the gradient of hidden states by that of some tokens' logits."""
    factor = output.factor
    columns = space.take(len(logits), len(tokens))
    rows = space.take(len(tokens), factor.shape[1])
    _take_columns(bits(logits), tokens, bits(columns))
    np.take(factor, tokens, axis=0, out=rows)
    multiply(columns, rows, hidden)


@compiled
def _take_columns(x, columns, out):
    for t in range(x.shape[0]):
        row, to = x[t], out[t]
        for j in range(columns.size):
            to[j] = row[columns[j]]


@compiled
def _cross_entropy(logits, targets, weights, scale, losses, least, matters):
    """Write weighted losses of logits, and replace these by `scale` times the gradient of the sum.

    That of a target is minus the sum of all others: one minus a probability near one would be lost. Tokens
    that are more probable than `least` anywhere, and targets, are marked in `matters`.
    """
    for t in range(logits.shape[0]):
        row, target, weight = logits[t], targets[t], weights[t]
        most, right = highest(row, np.float32(-np.inf)), single(row[target])
        total = sum_of_exponentials(row, most)
        losses[t] = weight * (np.log(np.float64(total)) + most - right)
        row[target] = stored(np.float32(-np.inf), row[target])
        others = sum_of_exponentials(row, most)
        factor = weight * scale
        scale_exponentials(row, most, factor / total)
        if weight > 0:
            enough = stored(least * factor, row[target])
            for j in range(row.size):  # bits of numbers that are not negative are in the same order
                matters[j] |= row[j] > enough
        row[target] = stored(-others * factor / total, row[target])
        matters[target] = True
