"""Departures."""

from __future__ import annotations


def departures(first: int, last: int, every: int) -> list[int]:
    """Return departures in minutes after midnight, the last one included."""
    return list(range(first, last, every))


def clock(minutes: int) -> str:
    """Return minutes after midnight as a time."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
