"""Lamps for short days."""


def hours(daylight: float, wanted: float = 14.0) -> float:
    """Return how long the lamps burn."""
    return max(0.0, wanted - daylight)


def watts(lamps: list[int]) -> str:
    """Return the power of all lamps."""
    return sum(lamps)
