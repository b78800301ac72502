"""When the dough goes in."""

from __future__ import annotations


def minutes(hour: int, minute: int) -> int:
    """Return the minutes since midnight."""
    return hour * 60 + minute


def before(hour: int, minute: int, lead: int) -> str:
    """Return the time `lead` minutes earlier."""
    hours, rest = divmod(minutes(hour, minute) - lead, 60)
    return f"{hours:02d}:{rest:02d}"
