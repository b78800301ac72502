"""The record of a training: one JSON object a line, and whatever else is asked to follow it.

Covered: JSONL, TensorBoard (extra `tensorboard`), Weights & Biases (extra `wandb`). Not covered: curves;
the report draws them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from punie_train.errors import TrainingError

FILE = "metrics.jsonl"


class Metrics:
    """Appends measurements; lines after `step` are dropped first, since those steps come again."""

    def __init__(self, folder: Path, step: int = 0, track: Sequence[str] = ()) -> None:
        self._path = folder / FILE
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        self._path.write_text("".join(kept))
        self._trackers = [_TRACKERS[name](folder) for name in track]

    def write(self, step: int, **figures: float) -> None:
        """Record the figures of a step."""
        with self._path.open("a") as handle:
            handle.write(json.dumps({"step": step, **figures}) + "\n")
        for tracker in self._trackers:
            tracker.write(step, figures)

    def close(self) -> None:
        """Finish what follows the metrics."""
        for tracker in self._trackers:
            tracker.close()


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        try:
            writer = import_module("tensorboardX").SummaryWriter
        except ImportError:
            raise TrainingError(
                'track = ["tensorboard"] needs the extra: pip install "punie-train[tensorboard]".'
            ) from None
        self._writer = writer(str(folder / "tensorboard"))

    def write(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, folder: Path) -> None:
        try:
            wandb = import_module("wandb")
        except ImportError:
            raise TrainingError(
                'track = ["wandb"] needs the extra: pip install "punie-train[wandb]".'
            ) from None
        self._run: Any = wandb.init(project="punie", dir=str(folder))

    def write(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step)

    def close(self) -> None:
        self._run.finish()


_TRACKERS = {"tensorboard": _TensorBoard, "wandb": _Wandb}
