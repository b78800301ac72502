"""What models use of `statistics`, for int and float data."""

# ruff: noqa: C419, FURB136, UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

import math
from typing import Any, Iterable


def mean(data: Iterable[Any]) -> Any:
    """The average."""
    values = _some(data, "mean requires at least one data point")
    total = _total(values)
    average = total / len(values)
    whole = all([isinstance(value, int) for value in values])
    return int(average) if whole and total % len(values) == 0 else average


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
    if any([value == 0 for value in values]):
        return 0
    return len(values) / math.fsum([1 / value for value in values])


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
    return _plain(_squares(values, mu), len(values), values)


def variance(data: Iterable[Any], xbar: Any = None) -> Any:
    """The variance of a sample."""
    values = list(data)
    if len(values) < 2:
        raise ValueError("variance requires at least two data points")
    return _plain(_squares(values, xbar), len(values) - 1, values)


def pstdev(data: Iterable[Any], mu: Any = None) -> float:
    """The standard deviation of a whole population."""
    return math.sqrt(pvariance(data, mu))


def stdev(data: Iterable[Any], xbar: Any = None) -> float:
    """The standard deviation of a sample."""
    return math.sqrt(variance(data, xbar))


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


def _total(values: list[Any]) -> Any:
    return sum(values) if all([isinstance(value, int) for value in values]) else math.fsum(values)


def _squares(values: list[Any], center: Any) -> Any:
    middle = _total(values) / len(values) if center is None else center
    return math.fsum([(value - middle) ** 2 for value in values])


def _plain(total: float, count: int, values: list[Any]) -> Any:
    result = total / count
    whole = all([isinstance(value, int) for value in values])
    return int(result) if whole and result == int(result) else result


def _most(values: list[Any]) -> list[Any]:
    counts = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    top = max(counts.values())
    return [value for value, count in counts.items() if count == top]
