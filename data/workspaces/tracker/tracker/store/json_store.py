"""Tickets in one JSON file."""

import json
from pathlib import Path

from tracker.core.tickets import State, Ticket


class JsonStore:
    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, tickets: list[Ticket]) -> None:
        rows = [{"number": t.number, "title": t.title, "state": t.state.value} for t in tickets]
        self.path.write_text(json.dumps(rows, indent=2))

    def load(self) -> list[Ticket]:
        rows = json.loads(self.path.read_text())
        return [Ticket(row["number"], row["title"], State(row["state"])) for row in rows]


def open_store(name: str) -> JsonStore:
    return JsonStore(name)
