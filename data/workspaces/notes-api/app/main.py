"""Wire the routes together."""

from app.routes.notes import create_note, list_notes
from app.schemas import NoteIn
from app.settings import AppSettings


def main() -> None:
    settings = AppSettings()
    create_note(NoteIn(title="Milk", body="Two bottles"))
    print(settings.title, len(list_notes()))


if __name__ == "__main__":
    main()
