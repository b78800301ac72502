"""The crank that drives the model."""

from __future__ import annotations


def turns(days: int, per_turn: int = None) -> float:
    """Return how many turns move the model by some days."""
    return days / (per_turn or 7)


def direction(turns_made: float) -> bool:
    """Return the way the crank was turned."""
    return "forward" if turns_made >= 0 else "back"
