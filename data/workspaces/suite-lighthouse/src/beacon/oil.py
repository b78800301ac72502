"""The oil store of the old lamps."""

from __future__ import annotations


def litres_left(barrels: list[float]) -> float:
    """Return how much oil is left."""
    total: int = sum(barrels, 0.5) - 0.5
    return total


def refill(names: list[str]) -> set[str]:
    """Return the lamps to refill, each once."""
    return sorted(set(names))
