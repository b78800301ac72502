"""An adapter survives fusing or the stage fails; what is quantised is what is loaded again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie_train.errors import TrainingError
from punie_train.mlx import load_arrays
from punie_train.models.loading import load_for_inference
from punie_train.progress import Progress
from punie_train.training import (
    FuseConfig,
    QuantizeConfig,
    TrainConfig,
    fuse,
    quantize,
    train,
)
from punie_train.training.fusing import largest_difference, probe_logits


def trained(base: Path, records: Path, out: Path, progress: Progress, **config: object) -> Path:
    settings = {"iterations": 4, "num_layers": 2, "batch_size": 8, "warmup": 0, **config}
    train(TrainConfig.model_validate(settings), base=base, data=records, out=out, progress=progress)
    return out


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_each_method_trains_fuses_and_keeps_its_effect(
    method: str, tiny_llama: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    adapter = trained(tiny_llama, records, tmp_path / "adapter", progress, method=method)
    fuse(FuseConfig(), base=tiny_llama, adapter=adapter, out=tmp_path / "fused", progress=progress)

    expected = probe_logits(load_for_inference(tiny_llama, adapter))
    assert largest_difference(probe_logits(load_for_inference(tmp_path / "fused")), expected) < 1e-3
    assert largest_difference(probe_logits(load_for_inference(tiny_llama)), expected) > 0.01
    assert json.loads((tmp_path / "fused/fuse.json").read_text())["logit_difference"] < 1e-3
    summary = json.loads((adapter / "training.json").read_text())
    assert (summary["steps"], summary["rows"]) == (4, 24)


def test_a_mixture_of_experts_is_trained_fused_and_quantised(
    tiny_moe: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    adapter = trained(tiny_moe, records, tmp_path / "adapter", progress)
    weights = load_arrays(adapter / "adapters.safetensors")
    assert any("switch_mlp" in name for name in weights)
    assert not any(name.endswith("mlp.gate.lora_a") for name in weights)

    fuse(FuseConfig(), base=tiny_moe, adapter=adapter, out=tmp_path / "fused", progress=progress)
    quantize(QuantizeConfig(), model=tmp_path / "fused", out=tmp_path / "q5", progress=progress)

    summary = json.loads((tmp_path / "q5/quantize.json").read_text())
    assert 5.9 < summary["bits_per_weight"] < 6.2
    expected = probe_logits(load_for_inference(tmp_path / "fused"))
    difference = largest_difference(probe_logits(load_for_inference(tmp_path / "q5")), expected)
    assert difference == pytest.approx(summary["logit_difference"], rel=1e-4)


def test_an_adapter_of_another_model_is_refused(
    tiny_llama: Path, tiny_moe: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    adapter = trained(tiny_llama, records, tmp_path / "adapter", progress)
    with pytest.raises(TrainingError, match="was it trained on another"):
        fuse(
            FuseConfig(), base=tiny_moe, adapter=adapter, out=tmp_path / "fused", progress=progress
        )
    assert not (tmp_path / "fused").exists()


def test_logits_that_differ_beyond_the_tolerance_fail_the_stage(
    tiny_llama: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    adapter = trained(tiny_llama, records, tmp_path / "adapter", progress)
    strict = FuseConfig(tolerance=1e-12)
    with pytest.raises(TrainingError, match="logits differ"):
        fuse(strict, base=tiny_llama, adapter=adapter, out=tmp_path / "fused", progress=progress)
    assert not (tmp_path / "fused").exists()


def test_more_bits_where_they_are_asked_for(
    tiny_llama: Path, tmp_path: Path, progress: Progress
) -> None:
    config = QuantizeConfig(bits=4, group_size=32, embedding_bits=8, keep={"down_proj": 6})
    quantize(config, model=tiny_llama, out=tmp_path / "mixed", progress=progress)
    described = json.loads((tmp_path / "mixed/config.json").read_text())["quantization"]
    assert described["bits"] == 4
    assert described["group_size"] == 32
    assert described["model.embed_tokens"]["bits"] == 8
    assert described["model.layers.0.mlp.down_proj"]["bits"] == 6


def test_more_bits_move_the_logits_less(
    tiny_llama: Path, tmp_path: Path, progress: Progress
) -> None:
    moved = []
    for bits in (4, 5, 6, 8):
        out = tmp_path / str(bits)
        quantize(QuantizeConfig(bits=bits), model=tiny_llama, out=out, progress=progress)
        moved.append(json.loads((out / "quantize.json").read_text())["logit_difference"])
    assert moved == sorted(moved, reverse=True)
