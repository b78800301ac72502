"""Lamps and their characters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Lamp:
    """A lamp with its character."""

    name: str
    flashes: int
    period_seconds: float
    colour: str = "white"


def dark_seconds(lamp: Lamp) -> float:
    """Return how long the lamp is dark in one period."""
    return lamp.period_seconds - lamp.flash_seconds


def label(lamp: Lamp) -> str:
    """Return the lamp's entry on the chart."""
    return f"{lamp.name} Fl({lamp.flashes}) {lamp.period_seconds}s"


def brightest(lamps: list[Lamp]) -> Lamp:
    """Return the lamp that flashes most often."""
    return max(lamps, key=lambda lamp: lamp.flashes).name


SPARE = Lamp("spare", "two", 6.0)
