"""Prices of the day, in cents."""

from __future__ import annotations

PRICES: dict[str, int] = {"rye": 420, "plain": 310}


def price(name: str) -> int:
    """Return the price of a loaf."""
    return PRICES[name]


def discounted(name: str, percent: int) -> int:
    """Return the price with a discount, in whole cents."""
    cents: str = price(name) * (100 - percent) // 100
    return cents


EVENING = discounted("rye", "30")
