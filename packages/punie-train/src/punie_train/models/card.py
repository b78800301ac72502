"""The model card: what a model folder's README.md says about where it came from and what it can do.

Everything in it is read from files the stages wrote; what is missing is left out, nothing is invented.

Covered: base and licence, data audit, training, quantisation, scores with their counts, digests. Not
covered: uploading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from punie_train.artefacts import digest_file, whole_file

CARD = "README.md"
"""The card's name; it is no part of what a model is, so digests leave it out."""
FRONT = """---
library_name: mlx
pipeline_tag: text-generation
license: {licence}
base_model: {base}
tags: [mlx, punie, code-mode, tool-use]
---
"""


def write_card(
    folder: Path,
    *,
    name: str,
    base: Path,
    audit: Path | None = None,
    training: Path | None = None,
    quantization: Path | None = None,
    scores: Path | None = None,
) -> Path:
    """Write `README.md` into a model folder and return its path.

    Args:
        folder: the model folder.
        name: what the model is called.
        base: the base model's folder, whose `base.json` names origin and licence.
        audit: the merge's `audit.json`.
        training: the adapter's `training.json`.
        quantization: `quantize.json`.
        scores: the validation's JSON file.
    """
    origin = _read(base / "base.json")
    licence = str(origin.get("licence", "unknown"))
    about = (
        "A small model that acts by writing Python which calls typed tools (Punie's Code Mode). "
        f"Made from {origin.get('origin', 'an unnamed base')} ({licence}) with punie-train."
    )
    sections = [
        FRONT.format(licence=licence.lower(), base=origin.get("origin", "unknown")),
        f"# {name}\n\n{about}",
        _section("Scores, earned by running what it wrote", _scores(_read(scores))),
        _section("Training", _training(_read(training))),
        _section("Data", _data(_read(audit))),
        _section("Weights", _weights(folder, _read(quantization))),
        '## Use\n\n```console\n$ punie ask "Check types in src/" --model ' + name + "\n```\n",
    ]
    path = folder / CARD
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(one for one in sections if one), encoding="utf-8")
    return path


def _read(path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


def _section(title: str, lines: list[str]) -> str:
    return f"\n## {title}\n\n" + "\n".join(lines) + "\n" if lines else ""


def _scores(scores: Mapping[str, Any]) -> list[str]:
    lines = [
        f"| {model['name']} | {suite['suite']} | {suite['passed']}/{suite['total']} "
        f"| {suite['low']:.0%} to {suite['high']:.0%} |"
        for model in scores.get("models", [])
        for suite in model["suites"]
    ]
    return (
        ["| model | suite | right | 95 % interval |", "|---|---|---|---|", *lines] if lines else []
    )


def _training(training: Mapping[str, Any]) -> list[str]:
    if not training:
        return []
    config = training.get("config", {})
    figures = ("rows", "steps", "kept_step", "final_loss", "validation_loss", "validation_right")
    settings = ("method", "num_layers", "rank", "scale", "learning_rate", "batch_size", "epochs")
    return [f"- {key}: {config[key]}" for key in settings if config.get(key) is not None] + [
        f"- {key.replace('_', ' ')}: {_short(training[key])}"
        for key in figures
        if training.get(key) is not None
    ]


def _data(audit: Mapping[str, Any]) -> list[str]:
    lines = [
        f"| {category} | {counts.get('train', 0)} | {counts.get('valid', 0)} | {counts.get('test', 0)} |"
        for category, counts in sorted(audit.get("categories", {}).items())
    ]
    table = ["| category | train | valid | test |", "|---|---|---|---|", *lines] if lines else []
    return (
        ["Every example was executed with the real tools before it was trained on.", "", *table]
        if table
        else []
    )


def _weights(folder: Path, quantization: Mapping[str, Any]) -> list[str]:
    lines = [
        f"- {file.name}: {file.stat().st_size / 1e6:.0f} MB, SHA-256 `{digest_file(file)}`"
        for file in sorted(folder.glob("*.safetensors"))
    ]
    if bits := quantization.get("bits_per_weight"):
        config = quantization.get("config", {})
        lines.append(
            f"- {config.get('bits')} bits in groups of {config.get('group_size')}: {bits} bits per weight"
        )
    return lines


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(each)}" for key, each in sorted(value.items()))
    return str(value)
