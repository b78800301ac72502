"""Conversions."""

from __future__ import annotations

KILOMETRES_PER_AU = 149_597_870


def kilometres(au: float) -> float:
    """Return astronomical units as kilometres."""
    return au * KILOMETRES_PER_AU


def years(days: float) -> float:
    """Return days as years."""
    return days / 365.25
