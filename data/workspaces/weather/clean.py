"""Drop readings that cannot be true."""

from collect import Reading
from settings import MAX_TEMPERATURE, MIN_TEMPERATURE


def plausible(reading: Reading) -> bool:
    return MIN_TEMPERATURE <= reading.temperature <= MAX_TEMPERATURE


def drop_impossible(readings: list[Reading]) -> list[Reading]:
    return [reading for reading in readings if plausible(reading)]
