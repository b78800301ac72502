"""Flour in store."""

from __future__ import annotations


def sacks(kilograms: float) -> int:
    """Return the number of full sacks of 25 kg."""
    return int(kilograms // 25)


def names(stock: dict[str, float]) -> list[str]:
    """Return what is in store, in alphabetical order."""
    return set(stock)
