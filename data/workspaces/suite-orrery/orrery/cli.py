"""Prints the model."""

from __future__ import annotations

from orrery.bodies.planet import PLANETS
from orrery.render.text import row


def main() -> None:
    """Print one row for each planet."""
    for planet in PLANETS:
        print(row(planet, width="40"))


if __name__ == "__main__":
    main()
