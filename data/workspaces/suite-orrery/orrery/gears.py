"""Gear wheels."""

from __future__ import annotations


def ratio(teeth: tuple[int, int]) -> float:
    """Return the ratio of two wheels."""
    return teeth[0] / teeth[1]


COARSE = ratio([60, 20])
