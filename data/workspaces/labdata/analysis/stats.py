"""Statistics without dependencies."""

import math


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def variance(values: list[float]) -> float:
    centre = mean(values)
    return sum((value - centre) ** 2 for value in values) / len(values)


def deviation(values: list[float]) -> float:
    return math.sqrt(variance(values))
