"""The summed cross entropy of supervised tokens and its gradient in one pass; logits are never kept.

Covered: a frozen output layer, tied to the embeddings or not.
"""

from __future__ import annotations

import numpy as np

from punie_train.training.cpu.layer import Projection
from punie_train.training.cpu.products import Workspace

CHUNK = 64
"""Positions whose logits exist at one time on a core (19 MB for a vocabulary of 49 152, halves included)."""
ROWS = 8
"""Positions whose logits stay in the cache from the first pass over them to the last."""


_NO_GRADIENT = Projection(None)


def loss_and_gradient(
    hidden: np.ndarray, output: Projection, targets: np.ndarray, space: Workspace
) -> float:
    """Return the summed loss in nats, and replace the hidden states by their gradient.

    Args:
        hidden: (positions, width), the normalised outputs of the last layer.
        output: the output layer, to (positions, vocabulary).
        targets: (positions,) token ids.
        space: for the logits of a chunk.
    """
    assert output.weight is not None
    loss = 0.0
    for at in range(0, len(hidden), CHUNK):
        part, wanted = hidden[at : at + CHUNK], targets[at : at + CHUNK]
        mark, chosen = space.mark(), (np.arange(len(part)), wanted)
        logits = space.take(len(part), len(output.weight))
        inputs = output.forward(part, logits, space)
        right = logits[chosen].astype(np.float64)
        highest, totals = _exponentiate(logits)
        loss += float(np.sum(np.log(totals.astype(np.float64)) + highest - right))
        # Before the product, in which what is left of a sure token would be lost.
        logits[chosen] -= totals
        output.backward(inputs, logits, part, _NO_GRADIENT, space)
        part /= totals[:, None]
        space.back(mark)
    return loss


def _exponentiate(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Replace logits by e to their distance from the row's highest; return the highest and the sums."""
    highest = np.empty(len(logits), np.float32)
    totals = np.empty(len(logits), np.float32)
    for at in range(0, len(logits), ROWS):
        rows = logits[at : at + ROWS]
        np.max(rows, axis=1, out=highest[at : at + ROWS])
        rows -= highest[at : at + ROWS, None]
        np.exp(rows, out=rows)
        np.sum(rows, axis=1, out=totals[at : at + ROWS])
    return highest, totals
