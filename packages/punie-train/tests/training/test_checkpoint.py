"""What a checkpoint is given is what it gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from punie_train.mlx import mx
from punie_train.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

KINDS = ["float32", "float16", "bfloat16", "int32", "int64", "uint32", "uint64", "bool_"]


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_mlx_of_every_kind_come_back(kind: str, tmp_path: Path) -> None:
    value = mx.array([[0, 1, 1], [1, 0, 1]]).astype(getattr(mx, kind))
    turned = value.T
    write_checkpoint(
        tmp_path,
        Checkpoint(7, "run", {"loss": 0.5}, {"w": value, "turned": turned}, {"step": value[0, 1]}),
    )

    found = read_checkpoint(tmp_path, "run")

    assert found is not None
    assert (found.step, found.run, found.figures) == (7, "run", {"loss": 0.5})
    assert found.weights["w"].dtype == value.dtype
    assert mx.array_equal(mx.array(found.weights["w"]), value)
    assert mx.array_equal(mx.array(found.weights["turned"]), turned)
    assert mx.array_equal(found.optimizer["step"], value[0, 1])


def test_arrays_of_numpy_come_back_as_those_of_mlx(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    state = {"step": np.array(3, np.int32), "moments": {"first": values[1], "second": values[:, 2]}}
    write_checkpoint(tmp_path, Checkpoint(3, "run", {}, {"w": values}, state))

    found = read_checkpoint(tmp_path, "run")

    assert found is not None
    np.testing.assert_array_equal(np.array(found.weights["w"]), values)
    assert found.optimizer["step"].item() == 3
    np.testing.assert_array_equal(np.array(found.optimizer["moments"]["first"]), values[1])
    np.testing.assert_array_equal(np.array(found.optimizer["moments"]["second"]), values[:, 2])


def test_a_file_that_was_cut_is_no_checkpoint(tmp_path: Path) -> None:
    write_checkpoint(
        tmp_path, Checkpoint(1, "run", {}, {"w": mx.zeros((64,))}, {"step": mx.array(1)})
    )
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-8])

    assert read_checkpoint(tmp_path, "run") is None
