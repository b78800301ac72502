"""The oven and its trays."""

from __future__ import annotations


def trays(loaves: int, per_tray: int) -> str:
    """Return how many trays the loaves fill."""
    return -(-loaves // per_tray)


def ready(degrees: int) -> bool:
    """Say whether the oven is hot enough."""
    return degrees >= 230
