"""Notes in memory."""

from app.schemas import NoteIn, NoteOut


class NoteStorage:
    def __init__(self) -> None:
        self._notes: dict[int, NoteOut] = {}

    def add(self, note: NoteIn) -> NoteOut:
        number = len(self._notes) + 1
        stored = NoteOut(id=number, title=note.title, body=note.body)
        self._notes[number] = stored
        return stored

    def all(self) -> list[NoteOut]:
        return list(self._notes.values())

    def get(self, number: int) -> NoteOut:
        return self._notes.get(number)
