"""Loading a model folder to compute with it.

On CPU everything becomes float32: half-precision and quantised products are 30 times slower there. A
quantised model is dequantised from its stored values, so what is computed is what the folder holds.

Covered: mlx-lm folders, with or without an adapter folder of this package or mlx-lm. Not covered:
folders that need their own code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_agent.models.dequantized import dequantized, take_stored
from punie_train.errors import ModelError
from punie_train.mlx import ON_CPU, flat, mx


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to compute.

    Attributes:
        model: the mlx-lm model.
        tokenizer: mlx-lm's wrapper of its tokenizer.
        config: what `config.json` says.
        path: the folder it came from.
    """

    model: Any
    tokenizer: Any
    config: dict[str, Any]
    path: Path


def load_for_inference(path: Path, adapter: Path | None = None) -> LoadedModel:
    """Load a model folder, and an adapter on it if one is given.

    Raises:
        ModelError: the folder is not a model, or damaged.
        TrainingError: the adapter does not fit.
    """
    loaded = _load(path)
    if adapter is not None:
        from punie_train.training.adapters import read_adapter

        take_stored(loaded.model)  # they are other weights now
        read_adapter(loaded.model, adapter)
    mx.eval(loaded.model.parameters())
    loaded.model.eval()
    return loaded


def load_base(path: Path) -> LoadedModel:
    """Load a model folder as it is on a GPU, in float32 on CPU; weights are evaluated.

    Raises:
        ModelError: the folder is not a model, or damaged.
    """
    loaded = _load(path)
    take_stored(loaded.model)  # whoever trains it changes its weights
    return loaded


def _load(path: Path) -> LoadedModel:
    from mlx_lm.utils import load_model, load_tokenizer

    try:
        model, config = load_model(path)
        tokenizer = load_tokenizer(path, eos_token_ids=config.get("eos_token_id"))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path}: not a model that can be loaded: {error}") from None
    if ON_CPU:
        model = dequantized(model)
    # One after the other: together, what each needs in between would take four times the model's memory.
    for weights in flat(model.parameters()).values():
        mx.eval(weights)
    return LoadedModel(model, tokenizer, config, path)
