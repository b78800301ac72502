"""Shortest way between two stops."""

from fleet.telemetry import Position


def distance(a: Position, b: Position) -> float:
    return math.hypot(a.lat - b.lat, a.lon - b.lon)


def nearest(start: Position, stops: list[Position]) -> Position:
    return min(stops, key=lambda stop: distance(start, stop))
