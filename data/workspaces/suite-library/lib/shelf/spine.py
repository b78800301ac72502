"""Labels on spines."""

from __future__ import annotations


def spine(author: str, year: int) -> str:
    """Return the label: three letters and the year."""
    letters: int = author[:3].upper()
    return f"{letters} {year}"
