"""What goes in and out."""

from dataclasses import dataclass, field


@dataclass
class NoteIn:
    title: str
    body: str
    tags: list[str] = field(default_factory=list)


@dataclass
class NoteOut:
    id: int
    title: str
    body: str


@dataclass
class Page:
    items: list[NoteOut]
    total: int
