"""Rooms and who has them."""


def fits(beds: int, guests: int, cot: bool) -> bool:
    return guests <= beds or (cot and guests == beds + 1)


def free(bookings: list[tuple[int, int]], start: int, end: int) -> bool:
    if start >= end:
        raise ValueError("a stay ends after it starts")
    for taken_from, taken_to in bookings:
        if start < taken_to and taken_from < end:
            return False
    return True


def floor(number: int) -> int:
    return number // 100
