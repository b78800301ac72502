"""What models use of `statistics`, for int and float data, exact as there: sums are of fractions."""

# ruff: noqa: C419, FURB136, UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

import math
from typing import Any, Iterable


def mean(data: Iterable[Any]) -> Any:
    """The average."""
    values = _some(data, "mean requires at least one data point")
    if not _finite(values):
        return sum(values) / len(values)
    total, shift = _sum(values)
    return _quotient(total, len(values) << shift, values)


def fmean(data: Iterable[Any]) -> float:
    """The average, as a float."""
    values = _some(data, "fmean requires at least one data point")
    return math.fsum(values) / len(values)


def geometric_mean(data: Iterable[Any]) -> float:
    """The n-th root of the product."""
    values = _some(data, "geometric_mean requires at least one data point")
    return math.exp(math.fsum([math.log(value) for value in values]) / len(values))


def harmonic_mean(data: Iterable[Any]) -> float:
    """The reciprocal of the average of reciprocals."""
    values = _some(data, "harmonic_mean requires at least one data point")
    if any([value < 0 for value in values]):
        raise ValueError("harmonic mean does not support negative values")
    if len(values) == 1:
        return values[0]
    if any([value == 0 for value in values]):
        return 0
    parts = [1 / value for value in values]
    if not _finite(parts):
        return len(values) / sum(parts)
    total, shift = _sum(parts)
    return (len(values) << shift) / total if total else math.inf


def median(data: Iterable[Any]) -> Any:
    """The middle value, or the average of the two middle values."""
    values = sorted(_some(data, "no median for empty data"))
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2


def median_low(data: Iterable[Any]) -> Any:
    """The middle value, or the lower of two."""
    values = sorted(_some(data, "no median for empty data"))
    return values[(len(values) - 1) // 2]


def median_high(data: Iterable[Any]) -> Any:
    """The middle value, or the higher of two."""
    values = sorted(_some(data, "no median for empty data"))
    return values[len(values) // 2]


def mode(data: Iterable[Any]) -> Any:
    """The most common value, the first of several."""
    return _most(_some(data, "no mode for empty data"))[0]


def multimode(data: Iterable[Any]) -> list[Any]:
    """The most common values."""
    values = list(data)
    return _most(values) if values else []


def pvariance(data: Iterable[Any], mu: Any = None) -> Any:
    """The variance of a whole population."""
    values = _some(data, "pvariance requires at least one data point")
    top, bottom = _spread(values, mu, len(values))
    return _quotient(top, bottom, values) if bottom else math.nan


def variance(data: Iterable[Any], xbar: Any = None) -> Any:
    """The variance of a sample."""
    values = _two(data, "variance requires at least two data points")
    top, bottom = _spread(values, xbar, len(values) - 1)
    return _quotient(top, bottom, values) if bottom else math.nan


def pstdev(data: Iterable[Any], mu: Any = None) -> float:
    """The standard deviation of a whole population."""
    values = _some(data, "pstdev requires at least one data point")
    return _root(*_spread(values, mu, len(values)))


def stdev(data: Iterable[Any], xbar: Any = None) -> float:
    """The standard deviation of a sample."""
    values = _two(data, "stdev requires at least two data points")
    return _root(*_spread(values, xbar, len(values) - 1))


def quantiles(data: Iterable[Any], *, n: int = 4, method: str = "exclusive") -> list[float]:
    """Cut points that divide the data into n parts."""
    values = sorted(data)
    size = len(values)
    if n < 1:
        raise ValueError("n must be at least 1")
    if size < 2:
        raise ValueError("must have at least two data points")
    cuts = []
    for i in range(1, n):
        if method == "inclusive":
            j, delta = divmod(i * (size - 1), n)
            cuts.append((values[j] * (n - delta) + values[j + 1] * delta) / n)
        else:
            j = i * (size + 1) // n
            j = 1 if j < 1 else size - 1 if j > size - 1 else j
            delta = i * (size + 1) - j * n
            cuts.append((values[j - 1] * (n - delta) + values[j] * delta) / n)
    return cuts


def _some(data: Iterable[Any], message: str) -> list[Any]:
    values = list(data)
    if not values:
        raise ValueError(message)
    return values


def _two(data: Iterable[Any], message: str) -> list[Any]:
    values = list(data)
    if len(values) < 2:
        raise ValueError(message)
    return values


def _finite(values: list[Any]) -> bool:
    return all([math.isfinite(value) for value in values])


def _numerators(values: list[Any]) -> tuple[list[int], int]:
    """Whole numbers, and how often 2 divides them all to give the values."""
    parts = []
    for value in values:
        if isinstance(value, int):
            parts.append((int(value), 0))
        else:
            share, power = math.frexp(value)
            parts.append((int(share * 9007199254740992), power - 53))
    shift = max([0, *[-power for whole, power in parts]])
    return [whole << (power + shift) for whole, power in parts], shift


def _sum(values: list[Any]) -> tuple[int, int]:
    wholes, shift = _numerators(values)
    return sum(wholes), shift


def _spread(values: list[Any], center: Any, count: int) -> tuple[int, int]:
    """The sum of squares around the average, or another center, through a count: a fraction.

    It is 0 / 0 for values that are not finite.
    """
    if not _finite(values):
        return 0, 0
    if center is not None:
        total, shift = _sum([(value - center) * (value - center) for value in values])
        return total, count << shift
    wholes, shift = _numerators(values)
    total = sum(wholes)
    top = len(wholes) * sum([whole * whole for whole in wholes]) - total * total
    return top, len(wholes) * count << (2 * shift)


def _quotient(top: int, bottom: int, values: list[Any]) -> Any:
    whole = all([isinstance(value, int) for value in values])
    return top // bottom if whole and top % bottom == 0 else top / bottom


def _root(top: int, bottom: int) -> float:
    """The square root of a fraction, rounded once (as in CPython's `_float_sqrt_of_frac`)."""
    if not bottom:
        return math.nan
    power = (_bits(top) - _bits(bottom) - 109) // 2
    if power >= 0:
        return float(_odd_root(top, bottom << (2 * power)) << power)
    return _odd_root(top << (-2 * power), bottom) / (1 << -power)


def _odd_root(top: int, bottom: int) -> int:
    """The whole root, made odd where it is not exact, so that it is rounded to the right side later."""
    root = math.isqrt(top // bottom)
    return root if root * root * bottom == top or root % 2 else root + 1


def _bits(number: int) -> int:
    return len(bin(number)) - 2 if number else 0


def _most(values: list[Any]) -> list[Any]:
    counts = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    top = max(counts.values())
    return [value for value, count in counts.items() if count == top]
