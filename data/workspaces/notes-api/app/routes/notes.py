"""Routes for notes."""

from app.schemas import NoteIn, NoteOut, Page
from app.services.storage import NoteStorage

storage = NoteStorage()


def create_note(note: NoteIn) -> NoteOut:
    return storage.add(note)


def list_notes(tags=[]) -> list[NoteOut]:
    return storage.all()


def page(number: int) -> Page:
    items = storage.all()
    return Page(items=items)
