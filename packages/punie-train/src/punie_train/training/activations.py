"""The frozen layers' outputs for every row, computed once, in memory and past a budget on disk.

Rows are computed in fixed groups of similar length, not in the batches training asks for, so that a row's
values do not depend on when it is first needed: a resumed run continues with the same bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np

from punie_train.mlx import mx
from punie_train.training.network import Network
from punie_train.training.rows import Row

GROUP = 8


class Activations:
    """Outputs of the frozen layers by row number.

    Args:
        network: computes them.
        rows: all rows.
        budget_bytes: how much may stay in memory; the rest goes to an unnamed temporary file.
    """

    def __init__(self, network: Network, rows: Sequence[Row], budget_bytes: int) -> None:
        self._network = network
        self._rows = rows
        self._left = budget_bytes
        order = sorted(range(len(rows)), key=lambda row: (len(rows[row].tokens), row))
        self._groups = [order[at : at + GROUP] for at in range(0, len(order), GROUP)]
        self._group_of = {row: group for group in self._groups for row in group}
        self._memory: dict[int, np.ndarray] = {}
        self._disk: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._file = None

    def __getitem__(self, row: int) -> np.ndarray:
        """Return the (length, width) outputs of a row's own tokens."""
        if row not in self._memory and row not in self._disk:
            self._compute(self._group_of[row])
        if row in self._memory:
            return self._memory[row]
        return self._read(row)

    def ready(self, row: int) -> bool:
        """Return whether a row's outputs are there already."""
        return row in self._memory or row in self._disk

    def _compute(self, group: Sequence[int]) -> None:
        outputs = self._network.below([self._rows[row] for row in group])
        for row, output in zip(group, outputs, strict=True):
            if output.nbytes <= self._left:
                self._left -= output.nbytes
                self._memory[row] = output
            else:
                self._write(row, output)
        mx.clear_cache()

    def _write(self, row: int, output: np.ndarray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="punie-activations-")
        at = self._file.seek(0, 2)
        self._file.write(output.tobytes())
        self._disk[row] = (at, output.shape)

    def _read(self, row: int) -> np.ndarray:
        at, shape = self._disk[row]
        assert self._file is not None
        self._file.seek(at)
        return np.frombuffer(
            self._file.read(int(np.prod(shape)) * 4), dtype=np.float32
        ).reshape(shape)

    def close(self) -> None:
        """Give the memory and the temporary file back."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()
