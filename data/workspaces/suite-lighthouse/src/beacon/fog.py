"""Fog signals."""

from __future__ import annotations


def blasts(visibility_metres: int, wind: int = None) -> int:
    """Return how many blasts a minute the horn gives."""
    if visibility_metres < 200:
        return 4
    return 2 if (wind or 0) < 5 else 3
