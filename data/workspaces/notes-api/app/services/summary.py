"""Short texts about notes."""

from app.schemas import NoteOut


def excerpt(note: NoteOut, length: int = 40) -> str:
    if len(note.body) <= length:
        return note.body
    return note.body[:length] + "..."


def word_count(note: NoteOut) -> int:
    return len(note.body.split())
