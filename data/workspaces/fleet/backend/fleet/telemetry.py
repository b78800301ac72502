"""Positions sent by the vans."""

import json
from dataclasses import dataclass


@dataclass
class Position:
    plate: str
    lat: float
    lon: float


def decode(message: str) -> Position:
    data = json.loads(message)
    return Position(data["plate"], data["lat"], data["lon"])


def moved(before: Position, after: Position) -> bool:
    return (before.lat, before.lon) != (after.lat, after.lon)
