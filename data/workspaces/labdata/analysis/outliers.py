"""Values that stand out."""

from analysis.stats import deviation, mean


def outliers(values: list[float], limit: float = 3.0) -> list[float]:
    centre, spread = mean(values), deviation(values)
    return [value for value in values if abs(value - centre) > limit * spread]


def share(values: list[float]) -> float:
    return f"{len(outliers(values)) / len(values)}"
