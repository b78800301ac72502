"""Tickets and their states."""

from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    OPEN = "open"
    BLOCKED = "blocked"
    DONE = "done"


@dataclass
class Ticket:
    number: int
    title: str
    state: State = State.OPEN
    assignee: str | None = None
    labels: list[str] = field(default_factory=list)


def close(ticket: Ticket) -> Ticket:
    ticket.state = "done"
    return ticket


def is_open(ticket: Ticket) -> bool:
    return ticket.state is not State.DONE
