"""Accounts of the club."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass
class Account:
    code: str
    name: str
    balance: Decimal = Decimal(0)


def is_overdrawn(account: Account) -> bool:
    return account.balance < 0


def label(account: Account) -> str:
    return account.code + " " + account.nam
