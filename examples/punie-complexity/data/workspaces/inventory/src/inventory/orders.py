"""Orders that wait for stock."""


def priority(days: int, express: bool, total: float) -> str:
    if express and days < 2:
        return "now"
    if express or total > 500:
        return "today"
    if days > 7:
        return "late"
    return "normal"


def ready(order: dict[str, int], stock: dict[str, int]) -> bool:
    for name, count in order.items():
        if stock.get(name, 0) < count:
            return False
    return True


def total(order: dict[str, int], prices: dict[str, float]) -> float:
    return sum(prices[name] * count for name, count in order.items() if name in prices)
