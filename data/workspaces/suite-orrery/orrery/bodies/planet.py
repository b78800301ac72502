"""Planets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planet:
    """A planet on a circle around the sun."""

    name: str
    distance: float
    period: float
    moons: int = 0


def outer(planets: list[Planet], limit: float = 2.0) -> list[Planet]:
    """Return the planets beyond a distance."""
    return [planet for planet in planets if planet.distance > limit]


PLANETS = [
    Planet("Mercury", 0.39, 88.0),
    Planet("Venus", 0.72, 224.7),
    Planet("Earth", 1.0, 365.25, 1),
    Planet("Mars", 1.52, 687.0, 2),
]
