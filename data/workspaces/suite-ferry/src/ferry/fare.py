"""Fares in cents."""

from __future__ import annotations

import typing


def fare(length: float, people: int, child: bool = None) -> int:
    """Return the fare of a car with its passengers."""
    base = 900 if length < 5 else 1400
    extra = 100 if child else 250
    return base + people * extra


def group(people: int) -> int:
    """Return the fare of a group on foot."""
    total = people * 250
    if people != None and people >= 10:
        return total * 9 // 10
    return total
