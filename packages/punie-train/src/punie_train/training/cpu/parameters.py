"""Between MLX's named parameters and one flat array with views into it.

What is trained lies in one array, so that a norm, an optimizer's step and a sum over machines are one
operation on all of it. Weights that are used as one product (queries, keys and values; gate and up) lie side
by side there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from punie_train.mlx import flat, mx
from punie_train.training.cpu.layer import Adapter, Projection, Weights, in_half

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
OUT = ("self_attn.o_proj",)
GATE_UP = ("mlp.gate_proj", "mlp.up_proj")
DOWN = ("mlp.down_proj",)


class Parameters:
    """Names, shapes and places of what is trained.

    Args:
        model: an mlx-lm model with its trainable parameters set.
        scale: the factor of low-rank adapters.
    """

    def __init__(self, model: Any, scale: float) -> None:
        self._scale = scale
        self._model = model
        trainable = flat(model.trainable_parameters())
        self._shapes = {name: trainable[name].shape for name in sorted(trainable, key=_order)}
        self.size = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self.values = self.zeros()
        for name, view in self.views(self.values).items():
            view[...] = np.asarray(trainable[name])

    def release(self) -> None:
        """Let the model forget what is trained, which is here now, until it is given it back."""
        nothing = mx.zeros(0)
        self._model.load_weights([(name, nothing) for name in self._shapes], strict=False)

    def zeros(self) -> np.ndarray:
        """Return a flat array for gradients or moments."""
        return np.zeros(self.size, np.float32)

    def views(self, array: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parts of a flat array by name."""
        views, at = {}, 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            views[name], at = array[at : at + size].reshape(shape), at + size
        return views

    def named(self) -> dict[str, mx.array]:
        """Return copies of the values by name, as MLX's arrays."""
        return {name: mx.array(view) for name, view in self.views(self.values).items()}

    def load(self, weights: Mapping[str, mx.array | np.ndarray]) -> None:
        """Take values by name."""
        for name, view in self.views(self.values).items():
            view[...] = np.asarray(weights[name])

    def layer(self, index: int, half: np.ndarray | None = None) -> Weights:
        """Return a layer's weights: views of the values where it is trained, else of the model's.

        Args:
            index: which layer.
            half: the values in a half format, where products are to be in that.
        """
        prefix = f"model.layers.{index}."
        there = flat(self._model.model.layers[index].parameters())
        views = self.views(self.values)

        def norm(module: str) -> np.ndarray:
            name = f"{module}.weight"
            return views.get(prefix + name, np.asarray(there[name]))

        def projection(modules: Sequence[str]) -> Projection:
            widths = [self._width(there, prefix, module) for module in modules]
            adapters = self._adapters(views, prefix, modules, widths)
            weight = self._stacked(self.values, prefix, modules)
            if weight is not None:
                stacked = None if half is None else self._stacked(half, prefix, modules)
                return Projection(weight, adapters, self._scale, stacked)
            parts = [np.asarray(there[_weight_of(there, module)]) for module in modules]
            if half is None:
                return Projection(np.concatenate(parts), adapters, self._scale)
            return Projection(None, adapters, self._scale, in_half(parts, half.dtype))

        return Weights(
            attention_norm=norm("input_layernorm"),
            qkv=projection(QKV),
            o=projection(OUT),
            mlp_norm=norm("post_attention_layernorm"),
            gate_up=projection(GATE_UP),
            down=projection(DOWN),
        )

    def gradient(self, index: int, array: np.ndarray) -> Weights:
        """Return views of a flat array for the gradient of a layer; None for what is frozen."""
        prefix = f"model.layers.{index}."
        there = flat(self._model.model.layers[index].parameters())
        views = self.views(array)

        def projection(modules: Sequence[str]) -> Projection:
            widths = [self._width(there, prefix, module) for module in modules]
            adapters = self._adapters(views, prefix, modules, widths)
            return Projection(self._stacked(array, prefix, modules), adapters, self._scale)

        return Weights(
            attention_norm=views.get(f"{prefix}input_layernorm.weight"),
            qkv=projection(QKV),
            o=projection(OUT),
            mlp_norm=views.get(f"{prefix}post_attention_layernorm.weight"),
            gate_up=projection(GATE_UP),
            down=projection(DOWN),
        )

    def _stacked(self, array: np.ndarray, prefix: str, modules: Sequence[str]) -> np.ndarray | None:
        """Return the weights of modules that lie side by side in a flat array as one, if they do."""
        at, names = 0, [f"{prefix}{module}.weight" for module in modules]
        for name, shape in self._shapes.items():
            if name == names[0]:
                outputs = sum(self._shapes[other][0] for other in names)
                return array[at : at + outputs * shape[1]].reshape(outputs, shape[1])
            at += int(np.prod(shape))
        return None

    def _width(self, there: Mapping[str, mx.array], prefix: str, module: str) -> int:
        name = _weight_of(there, module)
        return self._shapes.get(prefix + name, there[name].shape)[0]

    @staticmethod
    def _adapters(
        views: Mapping[str, np.ndarray], prefix: str, modules: Sequence[str], widths: Sequence[int]
    ) -> list[Adapter]:
        adapters, first = [], 0
        for module, width in zip(modules, widths, strict=True):
            name = f"{prefix}{module}.lora_a"
            if name in views:
                outputs = slice(first, first + width)
                adapters.append(Adapter(outputs, views[name], views[f"{prefix}{module}.lora_b"]))
            first += width
        return adapters


def _weight_of(there: Mapping[str, mx.array], module: str) -> str:
    """The name of a module's weight, which one with adapters has inside."""
    return f"{module}.weight" if f"{module}.weight" in there else f"{module}.linear.weight"


def _order(name: str) -> tuple[int, int, str]:
    """Sort by layer, then so that what is used as one product lies side by side."""
    _, _, layer, module = name.split(".", 3)
    modules = (*QKV, *OUT, *GATE_UP, *DOWN)
    places = [place for place, one in enumerate(modules) if module.startswith(f"{one}.")]
    return int(layer), places[0] if places else len(modules), module
