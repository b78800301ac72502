"""Opening hours."""

from __future__ import annotations

OPEN: dict[str, tuple[int, int]] = {"Tuesday": (15, 19), "Friday": (15, 19)}


def is_open(day: str, hour: int) -> bool:
    """Say whether the library is open."""
    start, end = OPEN.get(day, (0, 0))
    return start <= hour < end


NOON = is_open("Friday", "12")
