"""Statistics of counts: how far a score of k out of n can be trusted, and whether two scores differ.

Covered: the Wilson interval of a proportion and the exact McNemar test of paired outcomes. Not covered:
means, regression, or corrections for many comparisons.
"""

from __future__ import annotations

from math import comb, sqrt

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: a two-sided interval of 95 %."""


def wilson_interval(passed: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927), within [0, 1].

    Args:
        passed: number of successes.
        total: number of trials; with none, nothing is known and (0, 1) comes back.
        z: quantile of the normal distribution; the default gives 95 %.

    Raises:
        ValueError: the counts are negative or `passed` is more than `total`.
    """
    if not 0 <= passed <= total:
        raise ValueError(f"{passed} of {total} is not a count of successes.")
    if total == 0:
        return 0.0, 1.0
    share = passed / total
    weight = z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar_p(lost: int, won: int) -> float:
    """Return the two-sided p-value of the exact McNemar test (a sign test on the discordant pairs).

    Args:
        lost: pairs where only the first was right.
        won: pairs where only the second was right.

    Raises:
        ValueError: a count is negative.
    """
    if lost < 0 or won < 0:
        raise ValueError("counts of pairs cannot be negative.")
    changed = lost + won
    if changed == 0:
        return 1.0
    tail = sum(comb(changed, k) for k in range(min(lost, won) + 1)) / 2**changed
    return min(1.0, 2 * tail)
