"""Print the summary of a day."""

from clean import drop_impossible
from collect import parse
from units import celsius_to_fahrenheit


def mean(values: list[float]) -> float:
    if len(values) == 0:
        return None
    return sum(values) / len(values)


def summary(text: str) -> str:
    readings = drop_impossible(parse(text))
    average = mean([reading.temperature for reading in readings])
    return f"{average:.1f} C ({celsius_to_fahrenheit(average):.1f} F)"


def main() -> None:
    print(summary("2026-05-01T10:00,14.5,60\n2026-05-01T11:00,99.0,58\n"))


if __name__ == "__main__":
    main()
