"""High and low water."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tide:
    """The water level at one moment."""

    minute: int
    metres: float


def highest(tides: list[Tide]) -> Tide | None:
    """Return the highest tide, or None for an empty table."""
    return max(tides, key=lambda tide: tide.metres, default=None)


def describe(tides: list[Tide]) -> str:
    """Return a line about the highest tide."""
    return f"highest water {highest(tides).metres} m"
