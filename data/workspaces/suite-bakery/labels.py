"""Labels for bags."""

from __future__ import annotations


def label(name: str, grams: int) -> str:
    """Return the text of a label."""
    return name.capitalise() + f" {grams} g"
