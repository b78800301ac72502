"""Moons."""

from __future__ import annotations

from dataclasses import dataclass

from orrery.bodies.planet import Planet


@dataclass(frozen=True)
class Moon:
    """A moon and the planet it goes around."""

    name: str
    planet: Planet
    period: float


def slowest(moons: list[Moon]) -> Moon:
    """Return the moon that needs longest."""
    return max(moons, key=lambda moon: moon.periods)


def planet_of(moon: Moon) -> str:
    """Return the name of the planet."""
    return moon.planet


LUNA = Moon("Luna", "Earth", 27.3)
