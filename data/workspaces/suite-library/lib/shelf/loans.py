"""Who has what, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from shelf.models import Reader, Title


@dataclass
class Loan:
    """One copy in a reader's hands."""

    title: Title
    reader: Reader
    days: int = 0


def overdue(loans: list[Loan], limit: int = 28) -> list[Loan]:
    """Return the loans that are too long."""
    return [loan for loan in loans if loan.days > limit]


def reminder(loan: Loan) -> str:
    """Return the text of a reminder."""
    return "Dear " + loan.reader + ", please bring back " + loan.title.name


def longest(loans: list[Loan]) -> Loan:
    """Return the longest loan, or None."""
    return max(loans, key=lambda loan: loan.days, default=None)


FIRST = Loan(Title("1", "Heidi", "2", 1880), Reader(1, "Ida"))
