"""Making layers trainable, and the adapter folder mlx-lm reads too.

Covered: LoRA, DoRA, full fine-tuning of the last layers; explicit keys. Not covered: training embeddings
or the output layer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from punie_train.artefacts import write_json
from punie_train.errors import TrainingError
from punie_train.mlx import flat, load_arrays, mx
from punie_train.training.config import TrainConfig

WEIGHTS = "adapters.safetensors"
DESCRIPTION = "adapter_config.json"


def make_trainable(model: Any, config: TrainConfig) -> int:
    """Freeze a model but for what the configuration trains, and return the number of trained layers.

    Raises:
        TrainingError: no layer has any of the keys.
    """
    from mlx_lm.tuner.utils import linear_to_lora_layers

    count = len(model.layers)
    layers = count if config.num_layers < 0 else min(config.num_layers, count)
    model.freeze()
    if config.method == "full":
        for layer in model.layers[count - layers :]:
            layer.unfreeze()
            _freeze_routers(layer)
        return layers
    mx.random.seed(config.seed)
    linear_to_lora_layers(
        model, layers, _parameters(model, config), use_dora=config.method == "dora"
    )
    return layers


def _freeze_routers(layer: Any) -> None:
    for name, module in layer.named_modules():
        if name.endswith("mlp.gate"):
            module.freeze()


def _parameters(model: Any, config: TrainConfig) -> dict[str, Any]:
    there = {name for layer in model.layers for name, _ in layer.named_modules()}
    keys = [key for key in config.keys if key in there]
    if config.method == "dora":
        # DoRA has no form for the stacked experts.
        keys = [key for key in keys if "switch_mlp" not in key]
    if not keys:
        raise TrainingError(
            f"[train] keys: the model's layers have none of {', '.join(config.keys)}."
        )
    return {"rank": config.rank, "scale": config.scale, "dropout": config.dropout, "keys": keys}


def write_adapter(
    folder: Path, model: Any, config: TrainConfig, layers: int, weights: dict[str, mx.array]
) -> None:
    """Write weights and description into an existing folder, as mlx-lm names them."""
    parameters = {} if config.method == "full" else _parameters(model, config)
    mx.save_safetensors(str(folder / WEIGHTS), weights, metadata={"format": "mlx"})
    write_json(
        folder / DESCRIPTION,
        {
            "fine_tune_type": config.method,
            "num_layers": layers,
            "lora_parameters": parameters,
            "punie": config.model_dump(mode="json"),
        },
    )


def read_adapter(model: Any, folder: Path) -> Any:
    """Put an adapter folder's layers and weights on its base model, and return the model.

    Raises:
        TrainingError: the folder is not an adapter, or not of this base.
    """
    from mlx_lm.tuner.utils import linear_to_lora_layers

    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        weights = load_arrays(folder / WEIGHTS)
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{folder}: not a readable adapter folder: {error}") from None
    kind = description.get("fine_tune_type", "lora")
    if kind != "full":
        linear_to_lora_layers(
            model,
            description["num_layers"],
            description["lora_parameters"],
            use_dora=kind == "dora",
        )
    shapes = {name: value.shape for name, value in flat(model.parameters()).items()}
    wrong = [name for name, value in weights.items() if shapes.get(name) != value.shape]
    if wrong:
        raise TrainingError(
            f"{folder}: {wrong[0]} does not fit the base model; was it trained on another?"
        )
    model.load_weights(list(weights.items()), strict=False)
    model.eval()
    return model
