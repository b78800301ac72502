"""Read the raw log into readings."""

from dataclasses import dataclass


@dataclass
class Reading:
    time: str
    temperature: float
    humidity: float


def parse_line(line: str) -> Reading:
    time, temperature, humidity = line.strip().split(",")
    return Reading(time, temperature, float(humidity))


def parse(text: str) -> list[Reading]:
    return [parse_line(line) for line in text.splitlines() if line]
