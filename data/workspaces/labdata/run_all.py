"""Run every experiment and print its mean."""

from analysis.stats import mean
from experiments.growth import GrowthExperiment


def main() -> None:
    experiment = GrowthExperiment("oats", [1.0, 2.5, 4.0])
    print(experiment.name, mean(experiment.heights))


if __name__ == "__main__":
    main()
