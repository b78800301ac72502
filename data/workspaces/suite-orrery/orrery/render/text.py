"""Rows of text."""

from __future__ import annotations

from orrery.bodies.planet import Planet


def row(planet: Planet, width: int = 60) -> str:
    """Return a row with the planet at its distance."""
    return " " * int(planet.distance * width / 2) + planet.symbol


def table(planets: list[Planet]) -> list[str]:
    """Return all rows."""
    return "\n".join(row(planet) for planet in planets)
