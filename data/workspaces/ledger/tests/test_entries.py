from datetime import date
from decimal import Decimal

from ledger.accounts import Account
from ledger.entries import Entry, parse_day, post


def test_posting_moves_money():
    cash, sales = Account("100", "Cash"), Account("400", "Sales")
    post(Entry(date(2026, 5, 1), sales, cash, Decimal("12.50")))
    assert cash.balance == Decimal("12.50")


def test_days_are_iso():
    assert parse_day("2026-05-01") == date(2026, 5, 1)
