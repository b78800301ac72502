"""The order of rows is a function of seed and epoch; every row is used once an epoch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punie_train.training.batches import (
    BUCKET_BATCHES,
    epoch_batches,
    split_evenly,
    steps_per_epoch,
    training_batches,
)

LENGTHS = st.lists(st.integers(min_value=1, max_value=500), min_size=1, max_size=80)


@given(lengths=LENGTHS, size=st.integers(1, 12), epoch=st.integers(0, 3))
def test_each_epoch_uses_every_row_once(lengths: list[int], size: int, epoch: int) -> None:
    batches = epoch_batches(lengths, size, seed=1, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)
    # Only the last batch of the shuffled rows may be short.
    assert sum(len(batch) < size for batch in batches) <= 1
    assert len(batches) == steps_per_epoch(len(lengths), size)


@given(lengths=LENGTHS, size=st.integers(1, 12), first=st.integers(1, 40))
def test_a_run_that_starts_later_sees_the_same_batches(
    lengths: list[int], size: int, first: int
) -> None:
    whole = dict(training_batches(lengths, size, 5, 1, 60))
    assert dict(training_batches(lengths, size, 5, first, 60)) == {
        step: batch for step, batch in whole.items() if step >= first
    }


def test_epochs_differ() -> None:
    lengths = [10, 500] * 32
    assert epoch_batches(lengths, 8, 1, 0) != epoch_batches(lengths, 8, 1, 1)


@given(seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_of_two_lengths_at_most_one_batch_a_bucket_is_mixed(seed: int, epoch: int) -> None:
    lengths = [10, 500] * 32
    batches = epoch_batches(lengths, 8, seed, epoch)
    mixed = [batch for batch in batches if len({lengths[row] for row in batch}) > 1]
    assert len(mixed) <= len(lengths) / (8 * BUCKET_BATCHES)


@given(lengths=LENGTHS, parts=st.integers(1, 5))
def test_parts_hold_every_row_and_are_never_more_than_asked(lengths: list[int], parts: int) -> None:
    runs = split_evenly(range(len(lengths)), lengths, parts)
    assert sorted(row for run in runs for row in run) == list(range(len(lengths)))
    assert 1 <= len(runs) <= parts
    assert all(runs)
