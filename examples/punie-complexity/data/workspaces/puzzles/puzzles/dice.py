"""Dice."""


def score(first: int, second: int) -> int:
    if first == second:
        return 4 * first
    if first + second == 7 or first + second == 11:
        return 10
    return first + second


def best(rolls: list[int]) -> int:
    return max(rolls) if rolls else 0
