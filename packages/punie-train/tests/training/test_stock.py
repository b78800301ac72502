"""mlx-lm's own trainer stays available, and its loss is ours once its pad token is left out."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from punie_train.errors import TrainingError
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


STOCK = {"trainer": "mlx-lm", "iterations": 2, "num_layers": 1, "batch_size": 4}


def trained(config: dict[str, Any], base: Path, data: Path, out: Path) -> tuple[np.ndarray, str]:
    """Return all weights of the adapter that mlx-lm's trainer makes, and what was said."""
    stream = io.StringIO()
    settings = TrainConfig.model_validate({**STOCK, **config})
    train(settings, base=base, data=data, out=out, progress=Progress(stream=stream))
    arrays = load_arrays(out / "adapters.safetensors")
    return np.concatenate([np.ravel(arrays[name]) for name in sorted(arrays)]), stream.getvalue()


def test_weights_decay_where_that_is_asked_for(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    plain, _ = trained({}, tiny_llama, records, tmp_path / "plain")
    # Decayed by rate times decay in each step, so to nearly nothing of the first weights.
    decayed, _ = trained({"weight_decay": 1000}, tiny_llama, records, tmp_path / "decayed")
    assert np.linalg.norm(decayed) < np.linalg.norm(plain) * 0.9


def test_the_seed_decides_the_order_of_rows_whatever_was_drawn_before(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    first, _ = trained({}, tiny_llama, records, tmp_path / "first")
    np.random.random(7)
    again, _ = trained({}, tiny_llama, records, tmp_path / "again")
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"skip_below": 0.03}, "skip_below"),
        ({"precision": "float32"}, "precision"),
        ({"engine": "cpu"}, "engine"),
        ({"track": ("tensorboard",)}, "track"),
        ({"accumulate": 2, "patience": 3}, "accumulate, patience"),
        ({"clip_norm": 0.5, "streams": 1}, "clip_norm, streams"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(
    config: dict[str, Any], named: str, tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=f"does not know {named};"):
        trained(config, tiny_llama, records, tmp_path / "adapter")
    assert not list(tmp_path.iterdir())


def test_ranks_are_refused(
    tiny_llama: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKS", "2")
    with pytest.raises(TrainingError, match="does not know RANKS;"):
        trained({}, tiny_llama, records, tmp_path / "adapter")
    hosts = tmp_path / "hosts.json"
    hosts.write_text("[]")
    monkeypatch.setenv("HOSTS", str(hosts))
    with pytest.raises(TrainingError, match="does not know HOSTS;"):
        trained({}, tiny_llama, records, tmp_path / "adapter")


def test_a_phase_can_be_compared_by_naming_the_other_trainer_and_is_told_what_is_left_out(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    recipe = {"whole_ends": 10, "keep": "last", "tail_weight": 0.3, "save_every": 100}
    same = {"clip_norm": 0, "engine": "mlx"}  # what it does anyway
    weights, said = trained({**recipe, **same}, tiny_llama, records, tmp_path / "recipe")
    assert "no tail_weight = 0.3, no whole_ends = 10, no keep = 'last', no save_every = 100" in said
    plain, said = trained({}, tiny_llama, records, tmp_path / "plain")
    assert "left out" not in said
    assert np.array_equal(weights, plain)
