"""What computes a training: the interface the loop asks, and which of two implementations serves.

Covered: choosing. The implementations are `punie_train.training.mlx_engine` (every model and device that MLX
has) and `punie_train.training.cpu.engine` (Llama-like models on x86 CPUs, several times as fast there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from punie_train.errors import TrainingError
from punie_train.mlx import mx
from punie_train.models.loading import LoadedModel
from punie_train.progress import Progress
from punie_train.training.config import TrainConfig
from punie_train.training.distributed import Ranks
from punie_train.training.rows import Row


@dataclass(frozen=True)
class Job:
    """What an engine is made for.

    Attributes:
        config: how to train.
        loaded: the model, with its trainable parameters set.
        layers: how many layers are trained, counted from the last.
        rows: the rows to train on, then those to validate on.
        shared: the first tokens of every row.
        ranks: this process among the others.
    """

    config: TrainConfig
    loaded: LoadedModel
    layers: int
    rows: Sequence[Row]
    shared: Sequence[int]
    ranks: Ranks


class Engine(Protocol):
    """Computes losses and takes steps; rows are named by their numbers in the job."""

    name: str
    pads: bool
    """Whether rows of a batch cost less when they are of similar length."""

    @property
    def skipped(self) -> int:
        """How many rows of the last step this rank did not learn from, because they were known."""
        ...

    def prepare(self, rows: Sequence[int], progress: Progress) -> None:
        """Compute what the frozen layers make of rows, once."""
        ...

    def step(self, number: int, batch: Sequence[int], rate: float) -> tuple[float, float]:
        """Take a step along the weighted mean gradient of the batch's supervised tokens, clipped.

        Args:
            number: the step, counted from one; it seeds the dropout.
            batch: row numbers, over all ranks.
            rate: the learning rate.

        Returns:
            The weighted sum of losses before the step, in nats, and the norm of the mean gradient before
            clipping.
        """
        ...

    def loss(self, rows: Sequence[int]) -> float:
        """Return the weighted sum of rows' losses, in nats, without dropout, of this rank alone."""
        ...

    def weights(self) -> dict[str, mx.array]:
        """Return what is trained by name; the model has the same values afterwards."""
        ...

    def snapshot(self) -> tuple[Mapping[str, mx.array | np.ndarray], Any]:
        """Return what is trained by name and the optimizer's state, a tree, to be used before the next step.

        Nothing is copied where that can be helped.
        """
        ...

    def load(self, weights: dict[str, mx.array], optimizer: Any) -> None:
        """Go on from these weights and this state."""
        ...

    def close(self) -> None:
        """Give memory, files and threads back."""
        ...


def make_engine(job: Job) -> Engine:
    """Return the engine that the configuration names, or the fastest that covers the job.

    Raises:
        TrainingError: the named engine does not cover the job.
    """
    from punie_train.training.cpu.coverage import obstacle
    from punie_train.training.mlx_engine import MlxEngine

    wanted = job.config.engine
    why_not = obstacle(job) if wanted != "mlx" else ""
    if wanted == "cpu" and why_not:
        raise TrainingError(f'engine = "cpu" in [train] does not cover this training: {why_not}.')
    if wanted == "mlx" or why_not:
        return MlxEngine(job)
    from punie_train.training.cpu.engine import CpuEngine

    return CpuEngine(job)


def clipping(norm: float, limit: float) -> float:
    """Return what a gradient of this norm is multiplied by to have at most `limit`; 0 is no limit."""
    return min(1.0, limit / (norm + 1e-6)) if limit else 1.0
