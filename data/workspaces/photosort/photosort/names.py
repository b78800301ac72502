"""File names that do not clash."""


def numbered(name: str, number: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}"


def unique(name: str, taken: set[str]) -> str:
    number = 1
    result = name
    while result in taken:
        result = numbered(name, str(number))
        number += 1
    return result
