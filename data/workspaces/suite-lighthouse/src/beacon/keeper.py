"""The people on duty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Keeper:
    """Someone who keeps a light."""

    name: str
    years: int


def senior(keepers: list[Keeper], years: int = 10) -> list[Keeper]:
    """Return the keepers who have served long enough."""
    return [keeper for keeper in keepers if keeper.years >= years]
