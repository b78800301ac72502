"""Puzzles on a grid."""


def neighbours(x: int, y: int, size: int) -> list[tuple[int, int]]:
    found = []
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            if dx == 0 and dy == 0:
                continue
            if 0 <= x + dx < size and 0 <= y + dy < size:
                found.append((x + dx, y + dy))
    return found


def transpose(rows: list[list[int]]) -> list[list[int]]:
    return [list(row) for row in zip(*rows, strict=True)]
