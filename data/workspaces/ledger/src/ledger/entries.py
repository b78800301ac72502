"""Entries that move money."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ledger.accounts import Account


@dataclass
class Entry:
    day: date
    source: Account
    target: Account
    amount: Decimal


def post(entry: Entry) -> None:
    entry.source.balance -= entry.amount
    entry.target.balance += entry.amount


def parse_day(text: str) -> date:
    return date.fromisoformat(text)


def opening(cash: Account, equity: Account) -> Entry:
    return Entry("2026-01-01", equity, cash, Decimal("100"))
