"""Places for cars."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass


@dataclass
class Car:
    """A car and its length in metres."""

    plate: str
    length: float


def fits(cars: list[Car], metres: float) -> bool:
    """Say whether all cars find a place."""
    return sum(car.length for car in cars) <= metres


def longest(cars: list[Car]) -> Car:
    """Return the longest car."""
    return max(cars, key=lambda car: car.size)
