"""The balance sheet."""

from decimal import Decimal

from ledger.accounts import Account


def total(accounts: list[Account]) -> Decimal:
    return sum((account.balance for account in accounts), Decimal(0))


def lines(accounts: list[Account]) -> list[str]:
    return [f"{account.code} {account.balance:>10}" for account in accounts]
