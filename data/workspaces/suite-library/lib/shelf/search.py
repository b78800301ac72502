"""Finding titles."""

from __future__ import annotations

from shelf.models import Title


def by_year(titles: list[Title], year: int) -> list[Title]:
    """Return the titles of one year."""
    return [title for title in titles if title.year == year]


def by_word(titles: list[Title], word: str) -> list[Title]:
    """Return the titles with a word in their name."""
    return [title for title in titles if word.lower() in title.name.lower()]
