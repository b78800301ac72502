"""What the frozen layers made of rows is what any thread reads back, from memory and from disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from punie_train.training.activations import Store

ROWS, THREADS, READS = 200, 4, 1500


def outputs(row: int) -> np.ndarray:
    """What a row is kept as: as wide as a small model, as long as its number says."""
    return np.full((1 + row % 80, 576), row, np.float32)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("budget", [0, 4_000_000, 10**9])
def test_threads_that_read_at_once_each_get_the_row_they_asked_for(
    budget: int, restless: None
) -> None:
    store = Store(budget)
    for row in range(ROWS):
        store.keep(row, outputs(row))

    def wrong(thread: int) -> list[int]:
        rows = [(thread * 37 + step * (2 * thread + 1)) % ROWS for step in range(READS)]
        return [row for row in rows if not np.array_equal(store[row], outputs(row))]

    with ThreadPoolExecutor(THREADS) as executor:
        found = list(executor.map(wrong, range(THREADS)))
    store.close()

    assert found == [[]] * THREADS
