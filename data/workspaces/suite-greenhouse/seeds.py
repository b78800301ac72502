"""Seeds and when to sow them."""

from datetime import date, timedelta


def sow(day: date, weeks: int) -> date:
    """Return the day to sow for a harvest."""
    return day - timedelta(weeks=weeks)


def is_early(month: int) -> bool:
    """Say whether it is too early to sow outside."""
    if month < 4 == True:
        return True
    return False
