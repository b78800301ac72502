"""Dates as people write them."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def month(word: str) -> int:
    for number, name in enumerate(MONTHS, start=1):
        if word.lower().startswith(name):
            return number
    raise ValueError(word)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days(year: int, number: int) -> int:
    if number == 2:
        return 29 if is_leap(year) else 28
    return 30 if number in (4, 6, 9, 11) else 31
