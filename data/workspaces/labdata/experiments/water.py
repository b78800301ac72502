"""Litres of water a week."""

WEEKS: int = 6
LITRES_PER_WEEK: float = 1.5


def litres(weeks: int = WEEKS) -> float:
    return weeks * LITRES_PER_WEEK
