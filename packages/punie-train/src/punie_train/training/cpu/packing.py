"""Rows one after the other, without padding, and fairly shared among the cores.

A batch is first shared among cores by what its rows cost; a core then takes its rows in packs small enough
that what the gradient needs of them stays within a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from punie_train.training.cpu.attention import Rows
from punie_train.training.rows import Row

TOKENS = 640
"""Most tokens of a pack of several rows: 25 KB a token and trained layer of SmolLM2-135M in a half format."""


@dataclass(frozen=True)
class Pack:
    """Some rows' own tokens, after the shared ones, one row after the other.

    Attributes:
        tokens: (tokens,) ids.
        rows: where each row lies.
        positions: places whose output predicts a supervised token.
        targets: those tokens.
        weights: what each counts.
        ends: for each row, where its positions end among all of them.
    """

    tokens: np.ndarray
    rows: Rows
    positions: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    ends: np.ndarray

    def worth(self, losses: np.ndarray, least: float) -> list[int]:
        """Return the rows whose mean loss is at least this high.

        Args:
            losses: weighted, for each position.
            least: in nats a token.
        """
        sums, counts = (np.split(of, self.ends[:-1]) for of in (losses, self.weights))
        means = [part.sum() / count.sum() for part, count in zip(sums, counts, strict=True)]
        return [row for row, mean in enumerate(means) if not mean < least]


def pack(rows: Sequence[Row], shared: int) -> Pack:
    """Return rows as a pack, given how many first tokens all of them share."""
    tokens: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    ends: list[int] = []
    for row in rows:
        first = len(tokens)
        tokens += row.tokens[shared:]
        positions += [first + at - 1 - shared for at in row.supervised]
        targets += [row.tokens[at] for at in row.supervised]
        weights += row.weights
        ends.append(len(positions))
    own = Rows([len(row.tokens) - shared for row in rows], shared)
    counted = np.array(weights, np.float32)
    return Pack(
        np.array(tokens), own, np.array(positions), np.array(targets), counted, np.array(ends)
    )


def share(costs: Sequence[float], before: Sequence[float]) -> list[list[int]]:
    """Return the indices of costs in parts of about equal sums; the dearest are placed first.

    Args:
        costs: what each costs.
        before: what each part costs already; their number is the number of parts.
    """
    shares: list[list[int]] = [[] for _ in before]
    sums = list(before)
    for index in sorted(range(len(costs)), key=lambda index: (-costs[index], index)):
        lightest = sums.index(min(sums))
        shares[lightest].append(index)
        sums[lightest] += costs[index]
    return [sorted(part) for part in shares]


def in_packs(indices: Sequence[int], own: Sequence[int]) -> list[list[int]]:
    """Split indices of rows into runs of at most TOKENS own tokens, or of one row."""
    runs: list[list[int]] = []
    used = 0
    for index in indices:
        if not runs or used + own[index] > TOKENS:
            runs.append([])
            used = 0
        runs[-1].append(index)
        used += own[index]
    return runs
