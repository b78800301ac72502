"""What a night costs."""


def rate(month: int, weekend: bool, nights: int, member: bool) -> float:
    price = 80.0
    if month in (7, 8):
        price *= 1.5
    elif month == 12:
        price *= 1.3
    if weekend and not member:
        price += 20
    if nights >= 7 or (member and nights >= 3):
        price *= 0.9
    return price


def deposit(total: float) -> float:
    return max(50.0, total * 0.2)
