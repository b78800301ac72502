"""Mail messages about tickets."""

from tracker.core.tickets import Ticket


def subject(ticket: Ticket) -> str:
    return f"[#{ticket.number}] {ticket.title}"


def body(ticket: Ticket, author: str = None) -> str:
    who = author or "Someone"
    return f"{who} changed ticket {ticket.number}."
