"""Orders and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Order:
    """What one customer wants."""

    customer: str
    item: str
    count: int
    paid: bool = False


def total(orders: list[Order]) -> int:
    """Return how many pieces were ordered."""
    return sum(order.count for order in orders)


def unpaid(orders: list[Order]) -> list[Order]:
    """Return the orders that are not paid yet."""
    return [order for order in orders if not order.paid]
