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
from typing import Any, cast

from mlx.utils import tree_unflatten

from punie_train.artefacts import whole_file
from punie_train.mlx import flat, mx

FILE = "checkpoint.safetensors"


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
    weights: dict[str, mx.array]
    optimizer: Any


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint over the one before; a crash leaves one or the other, whole."""
    arrays = {f"weights.{name}": value for name, value in checkpoint.weights.items()}
    arrays |= {f"optimizer.{name}": value for name, value in flat(checkpoint.optimizer).items()}
    head = {"step": checkpoint.step, "run": checkpoint.run, "figures": dict(checkpoint.figures)}
    # MLX appends the suffix when it is missing, so the file is written through a handle.
    with whole_file(folder / FILE) as temporary, temporary.open("wb") as handle:
        mx.save_safetensors(handle, arrays, metadata={"punie": json.dumps(head)})


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
