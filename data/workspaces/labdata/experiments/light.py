"""Hours of light a day."""

from dataclasses import dataclass


@dataclass
class LightExperiment:
    name: str
    hours: dict[str, float]

    def total(self) -> float:
        return sum(self.hours.values())


def control() -> LightExperiment:
    return LightExperiment("control", [8.0, 8.0])
