"""A quantised model of MLX's in float32, for CPUs, whose products of codes take many times as long.

What is computed is what the folder holds: scales become float32 before anything is multiplied by them, so no
weight is rounded to their type. The codes are remembered, for an engine that reads them in place of the
weights (entry points of the group `punie_agent.engines`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["dequantized", "take_stored"]


class _Stored:
    """Quantised modules by name; MLX would take a plain dictionary for parameters of the model."""

    def __init__(self, modules: Mapping[str, Any]) -> None:
        self.modules = modules


def dequantized(model: Any) -> Any:
    """The same model with its stored values as float32; those of a model without codes are converted.

    Args:
        model: an mlx-lm model; it is changed, and not to be used any more.
    """
    import mlx.core as mx
    from mlx import nn
    from mlx_lm.utils import dequantize_model

    model.set_dtype(mx.float32)
    kinds = (nn.QuantizedLinear, nn.QuantizedEmbedding)
    stored = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    model = dequantize_model(model)
    model.punie_stored = _Stored(stored)
    return model


def take_stored(model: Any) -> Mapping[str, Any]:
    """The quantised modules that a model's weights were made of, by name, for whoever asks first.

    Whoever changes its weights asks, too, and forgets them.
    """
    stored = getattr(model, "punie_stored", None)
    if stored is None:
        return {}
    del model.punie_stored
    return stored.modules
