"""Finding tickets."""

from tracker.core.tickets import Ticket, is_open


def by_label(tickets: list[Ticket], label: str) -> list[Ticket]:
    return [ticket for ticket in tickets if label in ticket.labels]


def open_tickets(tickets: list[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if is_open(ticket)]


def count_open(tickets: list[Ticket]) -> int:
    return open_tickets(tickets)
