"""Metrics are lines of JSON; those of steps that come again are dropped first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie_train.errors import TrainingError
from punie_train.training.metrics import Metrics


def test_a_resumed_run_continues_the_file_without_doubling_steps(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    for step in (1, 2, 3):
        metrics.write(step, loss=step / 10)
    # A crash while writing leaves half a line.
    with (tmp_path / "metrics.jsonl").open("a") as handle:
        handle.write('{"step": 4, "lo')

    resumed = Metrics(tmp_path, step=2)
    resumed.write(3, loss=0.33)
    resumed.close()

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [
        {"step": 1, "loss": 0.1},
        {"step": 2, "loss": 0.2},
        {"step": 3, "loss": 0.33},
    ]


def test_a_tracker_that_is_not_installed_is_named_with_its_extra(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"pip install \"punie-train\[wandb\]\""):
        Metrics(tmp_path, track=["wandb"])
