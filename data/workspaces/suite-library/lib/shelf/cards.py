"""Reader cards."""

from __future__ import annotations


def number(year: int, serial: int) -> str:
    """Return the number printed on a card."""
    return year * 10000 + serial
