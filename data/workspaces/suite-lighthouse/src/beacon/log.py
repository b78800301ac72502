"""The keepers' log."""

from __future__ import annotations

from beacon.keeper import Keeper


class Log:
    """Entries in the order in which they were written."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def write(self, keeper: Keeper, text: str) -> None:
        """Add an entry signed by the keeper."""
        self.entries.append(f"{keeper.name}: {text}")

    def last(self) -> str:
        """Return the newest entry."""
        return self.entries[-1]
