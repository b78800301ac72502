"""Links of a document."""

import re
from dataclasses import dataclass


@dataclass
class Link:
    text: str
    target: str


def links(source: str) -> list[Link]:
    return [Link(text, target) for text, target in re.findall(r"\[(.+?)\]\((.+?)\)", source)]


def external(found: list[Link]) -> list[Link]:
    return [link for link in found if "://" in link.url]
