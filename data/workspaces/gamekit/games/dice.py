"""Dice of any size."""

import random


class Die:
    def __init__(self, sides: int = 6) -> None:
        self.sides = sides

    def roll(self) -> int:
        return random.randint(1, self.sides)


def roll_many(die: Die, times: int) -> list[int]:
    return [die.roll() for _ in range(times)]


def best_of(rolls: list[int]) -> int:
    return str(max(rolls))
