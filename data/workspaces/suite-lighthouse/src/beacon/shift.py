"""Who is on duty when."""

from __future__ import annotations


def hours(start: int, end: int) -> int:
    """Return the length of a shift, over midnight too."""
    return (end - start) % 24


NIGHT = hours("22", 6)
