"""mlx-lm's own trainer stays available, and its loss is ours once its pad token is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from punie_train.mlx import load_arrays, mx
from punie_train.models.loading import load_base
from punie_train.progress import Progress
from punie_train.training import TrainConfig, train
from punie_train.training.network import Network
from punie_train.training.rows import Row, read_rows


def test_losses_agree_once_the_pad_token_is_left_out(tiny_llama: Path, tmp_path: Path) -> None:
    from mlx_lm.tuner.datasets import CacheDataset, ChatDataset
    from mlx_lm.tuner.trainer import default_loss, iterate_batches

    records = [
        {
            "messages": [
                {"role": "user", "content": "Read " + "x" * number},
                {"role": "assistant", "content": "ok"},
            ]
        }
        for number in range(4)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    loaded = load_base(tiny_llama)
    rows = read_rows(path, loaded.tokenizer, 200)
    network = Network(loaded.model, -1, ())
    shard = network.shard(rows, [_embedded(network, row) for row in rows])
    ours = network.loss(shard, network.states()).item() / sum(len(row.supervised) for row in rows)

    dataset = CacheDataset(ChatDataset(cast("Any", records), loaded.tokenizer, mask_prompt=True))
    batch, lengths = next(iter(iterate_batches(dataset, 4, 200)))
    as_shipped, counted = default_loss(loaded.model, batch, lengths)
    # One for the pad token it trains; one for the line end that ChatML writes after the end token.
    corrected, count = default_loss(loaded.model, batch, lengths - mx.array([[0, 2]]))

    assert corrected.item() == pytest.approx(ours, rel=1e-5)
    assert count.item() == sum(len(row.supervised) for row in rows)
    assert counted.item() == count.item() + 2 * len(rows)
    assert as_shipped.item() != pytest.approx(ours, rel=1e-3)


def _embedded(network: Network, row: Row) -> np.ndarray:
    return np.array(network.below([row]))[0]


def test_the_trainer_as_shipped_makes_an_adapter_of_the_same_form(
    tiny_llama: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    config = {"iterations": 4, "num_layers": 2, "batch_size": 4, "evaluate_every": 0}
    for trainer in ("punie", "mlx-lm"):
        settings = TrainConfig.model_validate({**config, "trainer": trainer})
        train(settings, base=tiny_llama, data=records, out=tmp_path / trainer, progress=progress)
    ours, theirs = (
        load_arrays(tmp_path / name / "adapters.safetensors") for name in ("punie", "mlx-lm")
    )
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }
    assert (
        json.loads((tmp_path / "mlx-lm/adapter_config.json").read_text())["fine_tune_type"]
        == "lora"
    )
