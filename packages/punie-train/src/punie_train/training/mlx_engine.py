"""The engine for every model and device that MLX has: automatic gradients, streams on CPU.

Covered: LoRA, DoRA and full fine-tuning of the architectures in `punie_train.training.network.COVERED`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mlx.utils import tree_map

from punie_train.mlx import flat, mx, number
from punie_train.progress import Progress
from punie_train.training.activations import Activations
from punie_train.training.batches import plan_shards
from punie_train.training.distributed import local_ranks
from punie_train.training.engine import Job, clipping
from punie_train.training.fastmath import fast_math
from punie_train.training.network import Gradient, Network, Shard, States
from punie_train.training.parallel import StreamedAdamW, Streams


class MlxEngine:
    """See `punie_train.training.engine.Engine`."""

    name = "mlx"
    pads = True
    skipped = 0

    def __init__(self, job: Job) -> None:
        self._job, self._config, self._model = job, job.config, job.loaded.model
        self._network = Network(self._model, job.layers, job.shared)
        self._activations = Activations(self._network, job.rows, job.config.cache_mb << 20)
        self._streams = Streams(job.config.streams, local_ranks())
        self._gradient = Gradient(self._network, shared=job.config.shared_gradient)
        self._optimizer = StreamedAdamW(
            self._streams, weight_decay=job.config.weight_decay, beta2=job.config.beta2
        )
        self._optimizer.init(self._model.trainable_parameters())
        self._lengths = [len(row.tokens) for row in job.rows]
        self._model.train()
        self._fast = fast_math(self._model)
        self._fast.__enter__()  # last: where anything above fails, nobody would take it back

    def prepare(self, rows: Sequence[int], progress: Progress) -> None:
        """Compute what the frozen layers make of rows, once."""
        with self._streams.active():
            self._activations.compute(rows, self._streams, progress)

    def step(self, number: int, batch: Sequence[int], rate: float) -> tuple[float, float]:
        """Take a step along the weighted mean gradient of the batch's supervised tokens, clipped."""
        with self._streams.active():
            loss, gradient = self._job.ranks.sum(self._sums(number, batch))
            weight = sum(self._job.rows[row].weight for row in batch)
            return float(loss.item()), self._update(gradient, weight, rate)

    def _sums(self, step: int, batch: Sequence[int]) -> tuple[mx.array, Any]:
        """Return the summed loss of this rank's rows of a batch, and its gradient."""
        ranks = self._job.ranks
        mine = ranks.mine(sorted(batch, key=lambda row: (self._lengths[row], row)))
        if not mine:
            return mx.array(0.0), tree_map(mx.zeros_like, self._model.trainable_parameters())
        # Dropout depends on the step, not on the steps before it: a resumed run draws the same numbers.
        seed = self._config.seed + step * ranks.size + ranks.rank
        mx.random.seed(seed)
        states = self._states()
        learned, loss = self._worth(mine, states)
        self.skipped = len(mine) - len(learned)
        if not learned:
            return loss, tree_map(mx.zeros_like, self._model.trainable_parameters())
        mine = learned
        count = math.ceil(len(mine) / self._config.accumulate)
        gradient = None
        for at in range(0, len(mine), count):
            for wave in self._waves(mine[at : at + count]):
                results = self._streams.map(lambda shard: self._gradient.of(shard, states), wave)
                mx.eval(results)
                parts = [*([gradient] if gradient else []), *(part for _, part in results)]
                gradient = self._streams.each_leaf(
                    lambda *leaves: sum(leaves[1:], leaves[0]), *parts
                )
                loss = sum((part for part, _ in results), loss)
                mx.eval(loss, gradient)
        mx.random.seed(seed)  # the same dropout in the shared tokens as above
        with self._streams.alone():
            whole = self._gradient.through_shared(gradient)
            mx.eval(whole)
        return loss, whole

    def _worth(self, rows: Sequence[int], states: States) -> tuple[list[int], mx.array]:
        """Return the rows whose mean loss is at least `skip_below`, and the sum of the others' losses."""
        if not self._config.skip_below:
            return list(rows), mx.array(0.0)
        shards = [
            self._network.shard([self._job.rows[row]], [self._activations[row]]) for row in rows
        ]
        losses = list(map(number, [self._network.loss(shard, states) for shard in shards]))
        known = {
            row: loss
            for row, loss in zip(rows, losses, strict=True)
            if loss / self._job.rows[row].weight < self._config.skip_below
        }
        return [row for row in rows if row not in known], mx.array(sum(known.values()))

    def _states(self) -> States:
        with self._streams.alone():
            states = self._network.states()
            mx.eval(states)
        return states

    def _update(self, gradient: Any, weight: float, rate: float) -> float:
        """Move the weights along the mean gradient, clipped; return its norm."""
        squares = flat(self._streams.each_leaf(lambda value: mx.sum(value * value), gradient))
        mx.eval(squares)
        norm = math.sqrt(sum(number(value) for value in squares.values())) / weight
        factor = clipping(norm, self._config.clip_norm) / weight
        mean = self._streams.each_leaf(lambda value: value * factor, gradient)
        self._optimizer.learning_rate = rate
        self._optimizer.update(self._model, mean)
        mx.eval(self._model.trainable_parameters(), self._optimizer.state)
        return norm

    def _waves(self, rows: Sequence[int]) -> Iterator[list[Shard]]:
        own = [length - len(self._network.shared) for length in self._lengths]
        for wave in plan_shards(rows, own, self._streams.count):
            yield [
                self._network.shard(
                    [self._job.rows[row] for row in shard],
                    [self._activations[row] for row in shard],
                )
                for shard in wave
            ]

    def loss(self, rows: Sequence[int]) -> float:
        """Return the weighted sum of rows' losses, of this rank alone."""
        self._model.eval()
        loss, size = 0.0, self._config.batch_size * 2
        order = sorted(rows, key=lambda row: self._lengths[row])
        with self._streams.active():
            states = self._states()
            for at in range(0, len(order), size):
                for wave in self._waves(order[at : at + size]):
                    sums = self._streams.map(lambda shard: self._network.loss(shard, states), wave)
                    mx.eval(sums)
                    loss += sum(number(part) for part in sums)
        self._model.train()
        return loss

    def weights(self) -> dict[str, mx.array]:
        """Return what is trained by name; the model has the same values."""
        return flat(self._model.trainable_parameters())

    def snapshot(self) -> tuple[dict[str, mx.array], Any]:
        """Return what is trained by name and the optimizer's state."""
        return self.weights(), self._optimizer.state

    def load(self, weights: dict[str, mx.array], optimizer: Any) -> None:
        """Go on from these weights and this state."""
        self._model.load_weights(list(weights.items()), strict=False)
        self._optimizer.state = optimizer

    def close(self) -> None:
        """Give memory, files and the models' own functions back."""
        self._activations.close()
        self._fast.__exit__(None, None, None)
