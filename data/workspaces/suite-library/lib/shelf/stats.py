"""Numbers for the yearly report."""

from __future__ import annotations


def mean(values: list[int]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def busiest(visits: dict[str, int]) -> str:
    """Return the day with most visits."""
    return max(visits, key=lambda day: visits[day]).titel()
