"""Height of plants over time."""

from dataclasses import dataclass


@dataclass
class GrowthExperiment:
    name: str
    heights: list[float]

    def growth(self) -> float:
        return self.heights[-1] - self.heights[0]


def longest(experiments: list[GrowthExperiment]) -> GrowthExperiment:
    return max(experiments, key=lambda experiment: len(experiment.height))
