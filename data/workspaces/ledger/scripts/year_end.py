"""Close the books of a year."""

from ledger.accounts import Account, is_overdrawn


def overdrawn(accounts: list[Account]) -> list[str]:
    return [account.code for account in accounts if is_overdrawn(account)]
