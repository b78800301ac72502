"""Phases of the moon."""

from __future__ import annotations


def phase(day: int) -> str:
    """Return the name of the phase on a day of the lunar month."""
    names = {0: "new", 7: "first quarter", 15: "full", 22: "last quarter"}
    return names.get(day % 29)
