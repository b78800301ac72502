"""Which rows a step trains on: a function of seed and epoch alone, so that a resumed run sees the same.

Every row is used once an epoch, and the composition of batches changes from epoch to epoch. Where rows are
padded, rows of similar length are put together; elsewhere not, because those tend to be of one kind.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

BUCKET_BATCHES = 4
"""Batches' worth of rows that are sorted by length together where rows are padded."""


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Return the number of batches in an epoch; the last may be smaller."""
    return math.ceil(rows / batch_size)


def epoch_batches(
    lengths: Sequence[int],
    batch_size: int,
    seed: int,
    epoch: int,
    bucket: int = BUCKET_BATCHES,
) -> list[list[int]]:
    """Return the batches of one epoch as lists of row numbers.

    Args:
        lengths: each row's length.
        batch_size: rows a batch.
        seed: the run's seed.
        epoch: counted from zero.
        bucket: batches' worth of rows that are sorted by length together; 1 mixes all lengths.
    """
    order = random.Random(f"{seed}-{epoch}")  # noqa: S311 - order of rows, nothing secret
    rows = list(range(len(lengths)))
    order.shuffle(rows)
    window = batch_size * bucket
    batches = []
    for start in range(0, len(rows), window):
        together = sorted(rows[start : start + window], key=lambda row: (lengths[row], row))
        batches += [together[at : at + batch_size] for at in range(0, len(together), batch_size)]
    order.shuffle(batches)
    return batches


def training_batches(
    lengths: Sequence[int],
    batch_size: int,
    seed: int,
    first: int,
    last: int,
    bucket: int = BUCKET_BATCHES,
) -> Iterator[tuple[int, list[int]]]:
    """Yield (step, rows) for the steps `first` to `last`, both included and counted from one.

    Args:
        lengths: each row's length.
        batch_size: rows a batch.
        seed: the run's seed.
        first: the first step.
        last: the last step.
        bucket: as in `epoch_batches`.
    """
    size = steps_per_epoch(len(lengths), batch_size)
    batches: list[list[int]] = []
    current = -1
    for step in range(first, last + 1):
        epoch, at = divmod(step - 1, size)
        if epoch != current:
            batches, current = epoch_batches(lengths, batch_size, seed, epoch, bucket), epoch
        yield step, batches[at]


SHARD_COST = 64
"""What a shard costs beyond its tokens, in tokens: matrix products of few rows are slower."""


def plan_shards(rows: Sequence[int], lengths: Sequence[int], streams: int) -> list[list[list[int]]]:
    """Return waves of at most `streams` shards of rows, so that parallel streams end together.

    More shards mean less padding (rows of a shard are padded to its longest) and smaller products; the
    number with the shortest total time is taken.

    Args:
        rows: row numbers of the batch.
        lengths: each row's own tokens, without the shared ones.
        streams: how many shards are computed at a time.
    """

    def cost(shard: Sequence[int]) -> int:
        return SHARD_COST + max(lengths[row] for row in shard) * len(shard)

    best: list[list[list[int]]] = []
    least = math.inf
    for parts in range(streams, min(4 * streams, len(rows)) + 1, streams):
        shards = sorted(split_evenly(rows, lengths, parts), key=cost)
        waves = [shards[at : at + streams] for at in range(0, len(shards), streams)]
        total = sum(cost(wave[-1]) for wave in waves)
        if total < least:
            best, least = waves, total
    return best or [[list(rows)]]


def split_evenly(rows: Sequence[int], lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Split rows, shortest first, into at most `parts` runs of about equally many padded tokens."""
    ordered = sorted(rows, key=lambda row: (lengths[row], row))
    total = sum(lengths[row] for row in ordered)
    runs: list[list[int]] = [[]]
    used = 0
    for row in ordered:
        if runs[-1] and len(runs) < parts and used + lengths[row] / 2 > total * len(runs) / parts:
            runs.append([])
        runs[-1].append(row)
        used += lengths[row]
    return runs
