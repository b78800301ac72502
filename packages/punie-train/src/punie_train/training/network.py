"""A model's forward pass in two parts: the frozen layers below, the trained layers above.

Rows share their first tokens (the system prompt). Those are computed once a step, every row attends to
their keys and values, and what flows back into these is gathered from all rows before it goes through the
shared tokens, once; the result is the same as computing them in each row. The frozen part of each row is
computed once for a whole training and cached.

Covered: decoder-only models of mlx-lm whose layers are called as `layer(x, mask, cache)` with full causal
attention: Llama, Mistral, Qwen 2 and 3, and the mixtures among them. Not covered: sliding windows,
recurrent layers; such models are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from mlx.utils import tree_map

from punie_train.errors import TrainingError
from punie_train.mlx import ON_CPU, mx
from punie_train.training.fastmath import additive_mask
from punie_train.training.loss import output_weight, summed_loss
from punie_train.training.rows import Row

States: TypeAlias = "list[tuple[mx.array, mx.array]]"
"""Keys and values of the shared tokens, layer by layer."""

COVERED = ("llama", "mistral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe")


class _Keeps:
    """Stands where a layer expects a cache, and keeps the keys and values of the shared tokens."""

    offset = 0

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        self.keys, self.values = keys, values
        return keys, values


class _Offers:
    """Stands where a layer expects a cache, and puts the shared tokens before each row's own."""

    def __init__(self, state: tuple[mx.array, mx.array], shared: int) -> None:
        self._keys, self._values = state
        self.offset = shared

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return self._join(self._keys, keys), self._join(self._values, values)

    @staticmethod
    def _join(shared: mx.array, own: mx.array) -> mx.array:
        shared = mx.broadcast_to(shared, (own.shape[0], *shared.shape[1:]))
        return mx.concatenate([shared, own], axis=2)


@dataclass(frozen=True)
class Shard:
    """A part of a batch, ready to compute.

    Attributes:
        hidden: (rows, length, width) outputs of the frozen layers for each row's own tokens, padded at
            the end.
        positions: flat indices into rows x length whose output predicts a supervised token.
        targets: those tokens.
        weights: what each counts.
    """

    hidden: mx.array
    positions: mx.array
    targets: mx.array
    weights: mx.array


class Network:
    """A model cut in two.

    Args:
        model: an mlx-lm model.
        trained: layers that are trained, counted from the last; -1 for all.
        shared: the first tokens of every row.

    Raises:
        TrainingError: the model's architecture is not covered.
    """

    def __init__(self, model: Any, trained: int, shared: Sequence[int]) -> None:
        sliding = getattr(model.model, "swa_idx", None) is not None
        if model.model_type not in COVERED or sliding:
            raise TrainingError(
                f"the training loop does not cover models of type {model.model_type!r}"
                f"{' with sliding windows' if sliding else ''} ({', '.join(COVERED)}); "
                'set trainer = "mlx-lm" in [train].'
            )
        self.model = model
        count = len(model.layers)
        cut = 0 if trained < 0 else max(count - trained, 0)
        self.frozen, self.trained = model.layers[:cut], model.layers[cut:]
        self.shared = list(shared)
        self.weight = output_weight(model)
        mx.eval(self.weight)
        self._frozen_below: tuple[mx.array, States] | None = None

    @property
    def width(self) -> int:
        """The size of a hidden state."""
        return self.model.args.hidden_size

    def _shared_below(self) -> tuple[mx.array, States]:
        if self._frozen_below is None:
            tokens = mx.array([self.shared], dtype=mx.int32).reshape(1, len(self.shared))
            hidden, states = self._run_shared(self.frozen, self.model.model.embed_tokens(tokens))
            mx.eval(hidden, states)
            self._frozen_below = (hidden, states)
        return self._frozen_below

    def states(self) -> States:
        """Return the shared tokens' states in the trained layers, lazily; differentiable in those layers."""
        below, _ = self._shared_below()
        return self._run_shared(self.trained, below)[1]

    def below(self, rows: Sequence[Row]) -> mx.array:
        """Return (rows, length, width) outputs of the frozen layers for the rows' own tokens, lazily."""
        _, states = self._shared_below()
        start = len(self.shared)
        length = max(len(row.tokens) for row in rows) - start
        padded = np.zeros((len(rows), length), np.int32)
        for index, row in enumerate(rows):
            padded[index, : len(row.tokens) - start] = row.tokens[start:]
        hidden = self.model.model.embed_tokens(mx.array(padded))
        return self._run_rows(self.frozen, states, hidden).astype(mx.float32)

    def shard(self, rows: Sequence[Row], below: Sequence[np.ndarray]) -> Shard:
        """Put rows and what `below` returned for them into arrays."""
        start = len(self.shared)
        length = max(len(part) for part in below)
        hidden = np.zeros((len(rows), length, self.width), np.float32)
        positions: list[int] = []
        targets: list[int] = []
        weights: list[float] = []
        for index, (row, part) in enumerate(zip(rows, below, strict=True)):
            hidden[index, : len(part)] = part
            positions += [index * length + at - 1 - start for at in row.supervised]
            targets += [row.tokens[at] for at in row.supervised]
            weights += row.weights
        shared, _ = self._shared_below()
        return Shard(
            mx.array(hidden).astype(shared.dtype),
            mx.array(positions),
            mx.array(targets),
            mx.array(weights),
        )

    def loss(self, shard: Shard, states: States) -> mx.array:
        """Return the weighted sum of a shard's losses, given the states of the shared tokens."""
        hidden = self._run_rows(self.trained, states, shard.hidden)
        chosen = hidden.reshape(-1, hidden.shape[-1])[shard.positions]
        normed = self.model.model.norm(chosen)
        return summed_loss(normed, self.weight, shard.targets, shard.weights)

    def _run_shared(self, layers: Sequence[Any], hidden: mx.array) -> tuple[mx.array, States]:
        if not self.shared:
            return hidden, []
        kept = [_Keeps() for _ in layers]
        mask = self._mask(len(self.shared), len(self.shared))
        for layer, keep in zip(layers, kept, strict=True):
            hidden = layer(hidden, mask, keep)
        return hidden, [(keep.keys, keep.values) for keep in kept]

    def _run_rows(self, layers: Sequence[Any], states: States, hidden: mx.array) -> mx.array:
        start, length = len(self.shared), hidden.shape[1]
        mask = self._mask(length, start + length)
        for index, layer in enumerate(layers):
            hidden = layer(hidden, mask, _Offers(states[index], start) if start else None)
        return hidden

    @staticmethod
    def _mask(queries: int, keys: int) -> mx.array | str:
        return additive_mask(queries, keys) if ON_CPU else "causal"


class Gradient:
    """The gradient of a step's summed loss, shard by shard.

    `states` once, `of` for each shard, `through_shared` once for the sum of what the shards gave.

    Args:
        network: whose parameters.
        shared: whether it goes through the shared tokens, too; their states are constants otherwise.
    """

    def __init__(self, network: Network, *, shared: bool = True) -> None:
        self._network = network
        self._shared = bool(network.shared) and shared

        def loss(parameters: Any, states: States, shard: Shard) -> mx.array:
            network.model.update(parameters)
            return network.loss(shard, states)

        self._of = mx.value_and_grad(loss, argnums=(0, 1) if self._shared else 0)

    def of(self, shard: Shard, states: States) -> tuple[mx.array, Any]:
        """Return a shard's summed loss, and its gradient for `through_shared`."""
        return self._of(self._network.model.trainable_parameters(), states, shard)

    def through_shared(self, gradient: Any) -> Any:
        """Return the gradient of the parameters, given the sum of what `of` returned for the shards."""
        if not self._shared:
            return gradient
        own, arrived = gradient

        def carried(parameters: Any) -> mx.array:
            self._network.model.update(parameters)
            pairs = zip(self._network.states(), arrived, strict=True)
            return sum(
                (mx.sum(one * two) for pair in pairs for one, two in zip(*pair, strict=True)),
                mx.array(0.0),
            )

        through = mx.grad(carried)(self._network.model.trainable_parameters())
        return tree_map(mx.add, own, through)
