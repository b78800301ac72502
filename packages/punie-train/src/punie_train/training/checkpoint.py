"""Everything a training needs to go on as if it had not been interrupted, in one file written whole.

Covered: trained weights, optimizer state, step, best loss so far. The learning rate, the order of rows
and the random numbers of dropout follow from the step. Not covered: the activation cache, which is
computed again to the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from mlx.utils import tree_unflatten

from punie_train.artefacts import whole_file
from punie_train.mlx import flat, mx

FILE = "checkpoint.safetensors"

_NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL",
    "int32": "I32", "int64": "I64", "uint32": "U32", "uint64": "U64",
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The state after a step.

    Attributes:
        step: steps done.
        run: digest of configuration, base and data; a checkpoint of another run is not used.
        figures: numbers to go on with, such as the best loss.
        weights: trained weights by name.
        optimizer: the optimizer's state tree.
    """

    step: int
    run: str
    figures: Mapping[str, float]
    weights: Mapping[str, mx.array | np.ndarray]
    optimizer: Any


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint over the one before; a crash leaves one or the other, whole."""
    arrays = {f"weights.{name}": value for name, value in checkpoint.weights.items()}
    arrays |= {f"optimizer.{name}": value for name, value in flat(checkpoint.optimizer).items()}
    head = {"step": checkpoint.step, "run": checkpoint.run, "figures": dict(checkpoint.figures)}
    with whole_file(folder / FILE) as temporary, temporary.open("wb") as handle:
        _write(handle, arrays, {"punie": json.dumps(head)})


def _write(
    handle: BinaryIO, arrays: Mapping[str, mx.array | np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write arrays as they lie in memory, in the format of https://huggingface.co/docs/safetensors.

    `mx.save_safetensors` takes MLX's arrays only, and three copies of what is trained (weights and two
    moments) were the peak memory of a training.
    """
    mx.eval(*(array for array in arrays.values() if isinstance(array, mx.array)))
    head: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name, array in arrays.items():
        kind = str(array.dtype).removeprefix("mlx.core.")
        place = [at, at := at + array.nbytes]
        head[name] = {"dtype": _NAMES[kind], "shape": list(array.shape), "data_offsets": place}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    handle.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        handle.write(_bytes(array))


def _bytes(array: mx.array | np.ndarray) -> memoryview:
    """Return an array's memory."""
    if isinstance(array, mx.array) and array.dtype == mx.bfloat16:
        array = array.view(mx.uint16)  # NumPy has no bfloat16
    return np.ascontiguousarray(array).reshape(-1).data.cast("B")


def read_checkpoint(folder: Path, run: str) -> Checkpoint | None:
    """Return the folder's checkpoint, or None when there is none of this run."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        loaded = mx.load(str(path), return_metadata=True)
        arrays, metadata = cast("tuple[dict[str, mx.array], dict[str, str]]", loaded)
        head = json.loads(metadata["punie"])
    except (RuntimeError, KeyError, ValueError):
        return None
    if head["run"] != run:
        return None

    def part(prefix: str) -> dict[str, mx.array]:
        return {
            name.removeprefix(prefix): value
            for name, value in arrays.items()
            if name.startswith(prefix)
        }

    return Checkpoint(
        step=head["step"],
        run=head["run"],
        figures=head["figures"],
        weights=part("weights."),
        optimizer=tree_unflatten(list(part("optimizer.").items())),
    )
