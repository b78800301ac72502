"""Headings of a document."""

from dataclasses import dataclass


@dataclass
class Heading:
    level: int
    text: str


def headings(source: str) -> list[Heading]:
    found = []
    for line in source.splitlines():
        if line.startswith("#"):
            marks, _, text = line.partition(" ")
            found.append(Heading(marks, text.strip()))
    return found
