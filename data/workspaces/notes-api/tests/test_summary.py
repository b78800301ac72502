from app.schemas import NoteOut
from app.services.summary import excerpt, word_count


def test_short_notes_are_whole():
    assert excerpt(NoteOut(1, "Milk", "Two bottles")) == "Two bottles"


def test_word_count():
    assert word_count(NoteOut(1, "Milk", "Two bottles")) == 3
