"""Two ranks on this machine end with the weights of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from punie_train.errors import TrainingError
from punie_train.mlx import load_arrays, mx, number
from punie_train.progress import Progress
from punie_train.training import TrainConfig, train
from punie_train.training.cpu.products import available, has_bfloat16

CONFIG = TrainConfig(
    iterations=4, num_layers=2, batch_size=4, evaluate_every=2, keep="last", streams=1
)


@pytest.mark.parametrize(
    ("engine", "precision", "tolerance"),
    [
        ("mlx", "auto", 1e-4),
        ("auto", "float32", 1e-4),
        # Rows lie in other packs, so sums in half formats are rounded in another order.
        pytest.param(
            "auto",
            "float16",
            1e-3,
            marks=pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)"),
        ),
        pytest.param(
            "auto",
            "bfloat16",
            2e-3,
            marks=pytest.mark.skipif(not has_bfloat16(), reason="needs a CPU with AVX512-BF16"),
        ),
    ],
)
def test_two_ranks_train_the_weights_of_one_process(
    engine: Literal["mlx", "auto"],
    precision: Literal["auto", "float32", "float16", "bfloat16"],
    tolerance: float,
    tiny_llama: Path,
    records: Path,
    tmp_path: Path,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = CONFIG.model_copy(update={"engine": engine, "precision": precision})
    alone, together = tmp_path / "alone", tmp_path / "together"
    train(config, base=tiny_llama, data=records, out=alone, progress=progress)
    monkeypatch.setenv("RANKS", "2")
    train(config, base=tiny_llama, data=records, out=together, progress=progress)

    expected = load_arrays(alone / "adapters.safetensors")
    found = load_arrays(together / "adapters.safetensors")
    assert expected.keys() == found.keys()
    largest = max(number(mx.max(mx.abs(expected[name] - found[name]))) for name in expected)
    assert largest < tolerance


def test_what_cannot_be_launched_is_said_before_anything_starts(
    tiny_llama: Path,
    records: Path,
    tmp_path: Path,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANKS", "two")
    with pytest.raises(TrainingError, match="RANKS=two"):
        train(CONFIG, base=tiny_llama, data=records, out=tmp_path / "a", progress=progress)
    monkeypatch.setenv("HOSTS", str(tmp_path / "hosts.json"))
    with pytest.raises(TrainingError, match="no such host file"):
        train(CONFIG, base=tiny_llama, data=records, out=tmp_path / "a", progress=progress)


def test_an_adapter_of_an_earlier_training_is_not_taken_for_that_of_ranks_that_failed(
    tiny_llama: Path,
    records: Path,
    tmp_path: Path,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "adapter"
    train(CONFIG, base=tiny_llama, data=records, out=out, progress=progress)
    before = (out / "training.json").read_bytes()

    monkeypatch.setenv("RANKS", "2")
    with pytest.raises(TrainingError, match="a rank failed"):
        train(CONFIG, base=tmp_path / "nowhere", data=records, out=out, progress=progress)

    assert (out / "training.json").read_bytes() == before


def test_what_ranks_made_replaces_an_adapter_of_an_earlier_training(
    tiny_llama: Path,
    records: Path,
    tmp_path: Path,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "adapter"
    train(CONFIG, base=tiny_llama, data=records, out=out, progress=progress)
    assert json.loads((out / "training.json").read_text())["launch"] is None

    monkeypatch.setenv("RANKS", "2")
    train(CONFIG, base=tiny_llama, data=records, out=out, progress=progress)

    summary = json.loads((out / "training.json").read_text())
    assert summary["ranks"] == 2
    assert summary["launch"]
