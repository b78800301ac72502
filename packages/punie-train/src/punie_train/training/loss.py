"""The loss at supervised positions alone, and its gradient in the same pass.

The output layer is frozen, so the gradient with respect to the last hidden states is all that is needed;
it is computed chunk by chunk beside the loss and the logits are never kept.
"""

from __future__ import annotations

from typing import Any, cast

from punie_train.mlx import ON_CPU, mx
from punie_train.training.fastmath import exp

CHUNK = 256
"""Positions whose logits exist at one time (50 MB for a vocabulary of 49 152)."""


def output_weight(model: Any) -> mx.array:
    """Return the matrix that turns hidden states into logits, in floating point."""
    layer = model.model.embed_tokens if model.args.tie_word_embeddings else model.lm_head
    if "scales" not in layer:
        return layer.weight
    return mx.dequantize(
        layer.weight,
        layer.scales,
        layer.biases,
        group_size=layer.group_size,
        bits=layer.bits,
        mode=layer.mode,
    )


@mx.custom_function
def _loss_and_gradient(
    hidden: mx.array, weight: mx.array, targets: mx.array, counts: mx.array
) -> tuple[mx.array, mx.array]:
    losses, gradients = [], []
    power = exp if ON_CPU else mx.exp
    for start in range(0, hidden.shape[0], CHUNK):
        chunk = slice(start, start + CHUNK)
        part, target, count = hidden[chunk], targets[chunk], counts[chunk]
        if gradients:  # one chunk after the other, so that one chunk's logits are held
            part = mx.depends(part, gradients[-1])
        wanted = weight[target]
        logits = (part @ weight.T).astype(mx.float32)
        highest = mx.max(logits, axis=-1, keepdims=True)
        weights = power(logits - highest)
        total = mx.sum(weights, axis=-1, keepdims=True)
        right = mx.sum((part * wanted).astype(mx.float32), axis=-1)
        losses.append(mx.sum(count * (mx.log(total[:, 0]) + highest[:, 0] - right)))
        # In float32 and from the same `weights`: no second exponential, no one-hot matrix.
        expected = (weights.astype(weight.dtype) @ weight) * mx.reciprocal(total)
        gradients.append(count[:, None] * (expected - wanted))
    return sum(losses[1:], losses[0]), mx.concatenate(gradients)


@_loss_and_gradient.vjp
def _loss_vjp(primals: Any, cotangents: Any, outputs: Any) -> tuple[mx.array, ...]:
    hidden, *constants = primals
    gradient = (cotangents[0] * outputs[1]).astype(hidden.dtype)
    return gradient, *(mx.zeros_like(each) for each in constants)


def summed_loss(
    hidden: mx.array, weight: mx.array, targets: mx.array, counts: mx.array
) -> mx.array:
    """Return the weighted sum of the cross entropies of targets; only hidden states get a gradient.

    Args:
        hidden: (positions, width), the normalised outputs of the last layer.
        weight: (vocabulary, width), the output layer.
        targets: (positions,) token ids.
        counts: (positions,) what each counts, in float32.
    """
    result = _loss_and_gradient(hidden, mx.stop_gradient(weight), targets, counts)
    return cast("tuple[mx.array, mx.array]", result)[0]
