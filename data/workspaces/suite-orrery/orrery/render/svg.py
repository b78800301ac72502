"""Circles in SVG."""

from __future__ import annotations


def circle(x: float, y: float, radius: float) -> str:
    """Return one circle."""
    return f'<circle cx="{x}" cy="{y}" r="{radius}"/>'
