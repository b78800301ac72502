"""The cross entropy of supervised tokens and its gradient in one pass; logits are never kept.

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
from punie_train.training.cpu.products import Workspace

CHUNK = 256
"""Positions whose logits exist at one time on a core (25 MB in a half format for a vocabulary of 49 152)."""

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
        scale = np.float32(scale_of(space))
        _cross_entropy(bits(logits), targets[chunk], weights[chunk], scale, losses[chunk])
        output.backward(part, logits, part, _NO_GRADIENT, space)
        space.back(mark)
    return losses


@compiled
def _cross_entropy(logits, targets, weights, scale, losses):
    """Write weighted losses of logits, and replace these by `scale` times the gradient of the sum.

    That of a target is minus the sum of all others: one minus a probability near one would be lost.
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
        row[target] = stored(-others * factor / total, row[target])
