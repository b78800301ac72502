"""Marks on the chart."""

from __future__ import annotations


def mark(name: str, metres: float) -> int:
    """Return the text of a mark."""
    return f"{name} ({metres:.0f} m)"


def legend(names: list[str]) -> str:
    """Return the legend, one name a line."""
    return "\n".join(names)
