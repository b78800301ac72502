"""Fusing an adapter into its base through floating point, behind a gate.

The fused model must give the adapter model's logits; an adapter lost to rounding or requantisation does
not pass. The base is dequantised first, always.

Covered: LoRA, DoRA and full fine-tuned layers. Not covered: quantising (`punie_train.training.quantizing`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mlx.utils import tree_unflatten

from punie_train.artefacts import whole_folder, write_json
from punie_train.errors import TrainingError
from punie_train.mlx import flat, mx, number
from punie_train.models.loading import LoadedModel, load_base
from punie_train.progress import Progress
from punie_train.training.adapters import read_adapter
from punie_train.training.config import FuseConfig

SUMMARY = "fuse.json"
PROBES = (
    "Check types in src/app.py",
    "def add(a: int, b: int) -> int:\n    return a + b",
    "What is a Protocol in Python typing? Answer in one sentence.",
)
"""Texts whose logits are compared at every position."""


def fuse(config: FuseConfig, *, base: Path, adapter: Path, out: Path, progress: Progress) -> None:
    """Write the fused model's folder, whole or not at all.

    Args:
        config: how.
        base: the base model's folder.
        adapter: the adapter folder trained on it.
        out: the model folder to make.
        progress: where to report.

    Raises:
        ModelError: the base cannot be loaded.
        TrainingError: the adapter does not fit, or the fused logits differ beyond the tolerance.
    """
    loaded = load_base(base)
    plain = probe_logits(loaded)
    read_adapter(loaded.model, adapter)
    expected = probe_logits(loaded)
    fuse_layers(loaded.model)
    difference = largest_difference(probe_logits(loaded), expected)
    moved = largest_difference(expected, plain)
    if not difference <= config.tolerance:
        raise TrainingError(
            f"{adapter}: the fused model's logits differ from the adapter model's by {difference:.2g} "
            f"(allowed {config.tolerance:g}); it is not written."
        )
    progress.note(
        f"fused: logits differ by {difference:.1e} (the adapter moved them by {moved:.2g})"
    )
    dtype = getattr(mx, config.dtype)
    with whole_folder(out) as folder:
        loaded.model.set_dtype(dtype)
        save_model(loaded, folder, {**_floating(loaded.config), "torch_dtype": config.dtype})
        write_json(
            folder / SUMMARY,
            {
                "config": config.model_dump(mode="json"),
                "logit_difference": difference,
                "adapter_effect": moved,
                "dtype_difference": largest_difference(probe_logits(loaded), expected),
            },
        )


def fuse_layers(model: Any) -> None:
    """Replace every adapted module by one with fused, unquantised weights, and dequantise the rest."""
    from mlx_lm.utils import dequantize_model

    fused = [
        (name, module.fuse(dequantize=True))
        for name, module in model.named_modules()
        if hasattr(module, "fuse")
    ]
    model.update_modules(tree_unflatten(fused))
    dequantize_model(model)
    mx.eval(model.parameters())


def probe_logits(loaded: LoadedModel) -> list[mx.array]:
    """Return a model's logits at every position of the probe texts, in float32."""
    logits = []
    for text in PROBES:
        tokens = mx.array([loaded.tokenizer.encode(text)])
        logits.append(loaded.model(tokens).astype(mx.float32))
    mx.eval(logits)
    return logits


def largest_difference(one: list[mx.array], other: list[mx.array]) -> float:
    """Return the largest absolute difference between two models' logits."""
    differences = [number(mx.max(mx.abs(a - b))) for a, b in zip(one, other, strict=True)]
    return max(differences)


def _floating(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in config.items()
        if key not in ("quantization", "quantization_config")
    }


def save_model(loaded: LoadedModel, folder: Path, config: dict[str, Any]) -> None:
    """Write a model's weights, configuration and tokenizer into an existing folder.

    The tokenizer's files are copied, not written anew, so that their digests stay the same.
    """
    mx.save_safetensors(
        str(folder / "model.safetensors"),
        flat(loaded.model.parameters()),
        metadata={"format": "mlx"},
    )
    write_json(folder / "config.json", json.loads(json.dumps(config)))
    for pattern in ("tokenizer*", "*.jinja", "generation_config.json", "vocab*", "merges.txt"):
        for file in sorted(loaded.path.glob(pattern)):
            shutil.copyfile(file, folder / file.name)
