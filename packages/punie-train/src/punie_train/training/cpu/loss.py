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
    exp,
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
        if output.half is None or not _went_back(output, logits, np.flatnonzero(matters), part):
            output.backward(part, logits, part, _NO_GRADIENT, space)
        space.back(mark)
    return losses


def _went_back(
    output: Projection, logits: np.ndarray, tokens: np.ndarray, hidden: np.ndarray
) -> bool:
    """Write the gradient of hidden states by that of some tokens' logits, which are used up.

    The tokens' logits and rows of the output layer take the place of all logits; nothing is done, and False
    returned, where they do not fit there.
    """
    (positions, _), width = logits.shape, output.factor.shape[1]
    room, used = logits.reshape(-1), positions * len(tokens)
    if used + len(tokens) * width > room.size:
        return False
    _move_together(bits(logits), tokens, bits(room))
    rows = room[used : used + len(tokens) * width].reshape(len(tokens), width)
    np.take(output.factor, tokens, axis=0, out=rows, mode="clip")  # which needs no copy
    multiply(room[:used].reshape(positions, len(tokens)), rows, hidden)
    return True


@compiled
def _move_together(x, columns, flat):
    """Move some columns of an array to the beginning of its memory, which is also given flat."""
    for t in range(x.shape[0]):
        row, at = x[t], t * columns.size
        for j in range(columns.size):  # never ahead of what is read
            flat[at + j] = row[columns[j]]


@compiled
def _cross_entropy(logits, targets, weights, scale, losses, least, matters):
    """Write weighted losses of logits, and replace these by `scale` times the gradient of the sum.

    That of a target is minus the sum of all others: one minus a probability near one would be lost. Tokens
    that are more probable than `least` anywhere, and targets, are marked in `matters`.
    """
    for t in range(logits.shape[0]):
        row, target, weight = logits[t], targets[t], weights[t]
        right = single(row[target])
        row[target] = stored(np.float32(-np.inf), row[target])
        most = highest(row, right)
        others = sum_of_exponentials(row, most)
        total = others + exp(right - most)
        losses[t] = weight * (np.log(np.float64(total)) + most - right)
        factor = weight * scale
        scale_exponentials(row, most, factor / total)
        if weight > 0:
            enough = stored(least * factor, row[target])
            for j in range(row.size):  # bits of numbers that are not negative are in the same order
                matters[j] |= row[j] > enough
        row[target] = stored(-others * factor / total, row[target])
        matters[target] = True
