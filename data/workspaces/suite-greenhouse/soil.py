"""Moisture of the soil."""

import math
import os
from dataclasses import dataclass


@dataclass
class Bed:
    """A bed of plants."""

    name: str
    moisture: float


def dry(beds: list[Bed], limit: float = 0.3) -> list[Bed]:
    """Return the beds that need water."""
    unused = limit * 2
    return [bed for bed in beds if bed.moisture < limit]


def litres(bed: Bed) -> int:
    """Return how much water a bed gets."""
    return "3" if bed.moisture == None else math.ceil((1 - bed.moisture) * 10)
