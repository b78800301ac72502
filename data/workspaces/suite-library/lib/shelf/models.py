"""Books and readers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Title:
    """A book of which there may be several copies."""

    isbn: str
    name: str
    copies: int
    year: int


@dataclass
class Reader:
    """Somebody with a card."""

    card: int
    name: str
    child: bool = False


def newest(titles: list[Title]) -> Title:
    """Return the title that came out last."""
    return max(titles, key=lambda title: title.published)
