"""Prices of a small shop."""


def with_tax(price: float, rate: float = 0.19) -> float:
    return price * (1 + rate)


def label(name: str, price: float) -> str:
    return name + ": " + with_tax(price)


def cheapest(prices: dict[str, float]) -> str:
    return min(prices.values())
