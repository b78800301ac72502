"""Write reports as CSV."""

import csv
import io
import sys

from ledger.accounts import Account


def as_csv(accounts: list[Account]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for account in accounts:
        writer.writerow([account.code, account.name, account.balance])
    return buffer.getvalue()


def row_count(text: str) -> int:
    return text.splitlines()
