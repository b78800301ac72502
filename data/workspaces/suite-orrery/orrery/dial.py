"""The dial with the months."""

from __future__ import annotations

MONTHS: list[str] = ("January", "February", "March")


def month(number: int) -> str:
    """Return the name of a month, counted from 1."""
    return MONTHS[number - 1]
