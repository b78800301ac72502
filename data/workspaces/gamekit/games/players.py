"""Players and their scores."""

from dataclasses import dataclass


@dataclass
class Player:
    name: str
    score: int = 0


class Scoreboard:
    def __init__(self, players: list[Player]) -> None:
        self.players = players

    def leader(self) -> Player:
        return max(self.players, key=lambda player: player.score)

    def award(self, name: str, points: int) -> None:
        for player in self.players:
            if player.name == name:
                player.score += points


def demo() -> Scoreboard:
    board = Scoreboard([Player("Ada"), Player("Bob")])
    board.award("Ada", "5")
    return board
