"""What the engine for x86 CPUs covers, told without loading it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from punie_train.mlx import ON_CPU
from punie_train.training.cpu.products import available
from punie_train.training.engine import Job


def obstacle(job: Job) -> str:
    """Return why this engine cannot do a job, or an empty text."""
    config = job.config
    why_not = {
        "there is a GPU": not ON_CPU,
        "MKL is not loaded (install punie-train[cpu] on x86 Linux)": not available(),
        "Numba is not installed (install punie-train[cpu])": find_spec("numba") is None,
        "DoRA and dropout are left to MLX": config.method == "dora"
        or (config.method == "lora" and config.dropout > 0),
    }
    reason = next((reason for reason, holds in why_not.items() if holds), "")
    return reason or model_obstacle(job.loaded.model)


def model_obstacle(model: Any) -> str:
    """Return why a model is computed by MLX wherever it is, or an empty text."""
    args = model.args
    why_not = {f"models of type {model.model_type!r} are left to MLX": model.model_type != "llama"}
    if model.model_type == "llama":
        why_not |= {
            "biases are left to MLX": args.attention_bias or args.mlp_bias,
            "scaled and interleaved rotary positions are left to MLX": args.rope_scaling
            or args.rope_traditional,
            "sliding windows are left to MLX": bool(
                set(args.layer_types or ()) - {"full_attention"}
            ),
        }
    return next((reason for reason, holds in why_not.items() if holds), "")
