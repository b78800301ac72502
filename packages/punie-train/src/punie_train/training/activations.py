"""The frozen layers' outputs for every row, computed once, in memory and past a budget on disk.

Rows are computed before the first step, in fixed groups of similar length, not in the batches training
asks for, so that a row's values never depend on the order: a resumed run continues with the same bits.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from punie_train.mlx import mx
from punie_train.progress import Progress
from punie_train.training.network import Network
from punie_train.training.parallel import Streams
from punie_train.training.rows import Row

GROUP = 8


class Store:
    """Arrays by row number: in memory, and past a budget in an unnamed temporary file.

    One thread keeps rows at a time; any number of threads may read those that are kept.

    Args:
        budget_bytes: how much may stay in memory.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._left = budget_bytes
        self._memory: dict[int, np.ndarray] = {}
        self._disk: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._file = None

    def __getitem__(self, row: int) -> np.ndarray:
        """Return the (length, width) float32 outputs of a row's own tokens."""
        return self._memory[row] if row in self._memory else self._read(row)

    def keep(self, row: int, output: np.ndarray) -> None:
        """Keep a copy of a row's outputs."""
        if output.nbytes <= self._left:
            self._left -= output.nbytes
            self._memory[row] = output.copy()
        else:
            self._write(row, output)

    def _write(self, row: int, output: np.ndarray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - closed by `close`
                prefix="punie-activations-"
            )
        at = self._file.seek(0, 2)
        self._file.write(output.tobytes())
        self._file.flush()  # it is read past the file object
        self._disk[row] = (at, output.shape)

    def _read(self, row: int) -> np.ndarray:
        at, shape = self._disk[row]
        assert self._file is not None
        # At a place of its own: a position that threads share is moved by one before another has read.
        found = os.pread(self._file.fileno(), 4 * math.prod(shape), at)
        return np.frombuffer(found, dtype=np.float32).reshape(shape)

    def close(self) -> None:
        """Give the memory and the temporary file back."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()


class Activations(Store):
    """Outputs of the frozen layers by row number, as MLX computes them.

    Args:
        network: computes them.
        rows: all rows.
        budget_bytes: how much may stay in memory.
    """

    def __init__(self, network: Network, rows: Sequence[Row], budget_bytes: int) -> None:
        super().__init__(budget_bytes)
        self._network = network
        self._rows = rows

    def compute(self, wanted: Sequence[int], streams: Streams, progress: Progress) -> None:
        """Compute the outputs of the wanted rows, groups in parallel streams."""
        order = sorted(wanted, key=lambda row: (len(self._rows[row].tokens), row))
        every = [order[at : at + GROUP] for at in range(0, len(order), GROUP)]
        with progress.task("frozen layers", len(order)) as task:
            for at in range(0, len(every), streams.count):
                groups = every[at : at + streams.count]
                outputs = streams.map(
                    lambda group: self._network.below([self._rows[row] for row in group]), groups
                )
                mx.eval(outputs)
                for group, output in zip(groups, outputs, strict=True):
                    self._keep_rows(group, np.array(output))
                    task.advance(len(group))

    def _keep_rows(self, group: Sequence[int], outputs: np.ndarray) -> None:
        start = len(self._network.shared)
        for row, padded in zip(group, outputs, strict=True):
            self.keep(row, padded[: len(self._rows[row].tokens) - start])
