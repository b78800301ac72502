"""What is in stock."""


def add(stock: dict[str, int], name: str, count: int) -> None:
    if count < 0:
        raise ValueError("count must not be negative")
    stock[name] = stock.get(name, 0) + count


def take(stock: dict[str, int], name: str, count: int) -> int:
    if name not in stock:
        return 0
    taken = min(stock[name], count)
    stock[name] -= taken
    if stock[name] == 0:
        stock.pop(name)
    return taken


def is_empty(stock: dict[str, int]) -> bool:
    return not any(stock.values())
