"""Receipts."""

from __future__ import annotations


def receipt(item: str, cents: int, note: str = None) -> str:
    """Return one line of a receipt."""
    line = f"{item} {cents / 100:.2f}"
    return line if note is None else f"{line} ({note})"


def change(given: int, cents: int) -> int:
    """Return the change in cents."""
    return given - cents
