"""Labels for the shelves."""


def shelf(number: int) -> str:
    return f"S{number:03d}"


def short(name: str, width: int = 12) -> str:
    return name if len(name) <= width else name[: width - 1] + "."
