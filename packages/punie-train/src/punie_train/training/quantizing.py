"""Quantising a fused model: bits, group size, and more bits where it matters.

Covered: affine quantisation by mlx-lm's format, mixed by module; size and error reported. Not covered:
learned quantisation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from punie_train.artefacts import whole_folder, write_json
from punie_train.mlx import flat, mx, nn
from punie_train.models.loading import LoadedModel, load_base
from punie_train.progress import Progress
from punie_train.training.affine import quantize_affine
from punie_train.training.config import QuantizeConfig
from punie_train.training.fusing import largest_difference, probe_logits, save_model

SUMMARY = "quantize.json"


def quantize(config: QuantizeConfig, *, model: Path, out: Path, progress: Progress) -> None:
    """Write the quantised model's folder, whole or not at all.

    Args:
        config: how.
        model: the fused model's folder.
        out: the model folder to make.
        progress: where to report.

    Raises:
        ModelError: the model cannot be loaded.
    """
    loaded = load_base(model)
    expected = probe_logits(loaded)
    original = sum(value.size for value in flat(loaded.model.parameters()).values())
    described = quantize_model(loaded.model, config)
    with whole_folder(out) as folder:
        save_model(
            loaded,
            folder,
            {
                **loaded.config,
                "torch_dtype": config.scale_dtype,
                "quantization": described,
                "quantization_config": described,
            },
        )
        size = (folder / "model.safetensors").stat().st_size
        summary = {
            "config": config.model_dump(mode="json"),
            "bytes": size,
            "parameters": original,
            "bits_per_weight": round(size * 8 / original, 3),
            "logit_difference": largest_difference(probe_logits(loaded_again(folder)), expected),
        }
        write_json(folder / SUMMARY, summary)
    progress.note(
        f"quantised: {summary['bits_per_weight']:.2f} bits per weight, {size / 1e6:.0f} MB, "
        f"logits moved by at most {summary['logit_difference']:.2f}"
    )


def loaded_again(folder: Path) -> LoadedModel:
    """Load what was just written, so that what is measured is what the folder holds."""
    return load_base(folder)


def quantize_model(model: Any, config: QuantizeConfig) -> dict[str, Any]:
    """Quantise a model's modules in place and return the `quantization` entry of its configuration."""
    model_rule = getattr(model, "quant_predicate", None)
    default = {"group_size": config.group_size, "bits": config.bits, "mode": "affine"}
    described: dict[str, Any] = dict(default)

    def choose(path: str, module: Any) -> bool | dict[str, Any]:
        if not hasattr(module, "to_quantized"):
            return False
        if module.weight.shape[-1] % config.group_size:
            return False
        ours = {**default, "bits": _bits(path, module, config)}
        if model_rule is not None:
            rule = model_rule(path, module)
            if not rule:
                return False
            if isinstance(rule, dict):
                ours = {**ours, "bits": max(rule["bits"], ours["bits"])}
        if ours != default:
            described[path] = ours
        return ours

    exact = {name: module.weight for name, module in model.named_modules() if "weight" in module}
    dtype = getattr(mx, config.scale_dtype)
    nn.quantize(model, config.group_size, config.bits, class_predicate=choose)
    for name, module in model.named_modules():
        if "scales" not in module:
            continue
        found = quantize_affine(
            exact.pop(name), bits=module.bits, group_size=module.group_size, dtype=dtype
        )
        module.weight, module.scales, module.biases = found.weight, found.scales, found.biases
        mx.clear_cache()
    model.set_dtype(dtype)
    mx.eval(model.parameters())
    return described


def _bits(path: str, module: Any, config: QuantizeConfig) -> int:
    matching = [key for key in config.keep if key in path]
    if matching:
        return config.keep[max(matching, key=len)]
    outer = isinstance(module, nn.Embedding) or path.endswith("lm_head")
    return config.embedding_bits if outer and config.embedding_bits else config.bits
