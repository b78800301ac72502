"""Pieces that move on the board."""

from dataclasses import dataclass

from games.board.grid import Cell, Grid


@dataclass
class Piece:
    symbol: str
    position: Cell


def can_move(piece: Piece, target: Cell, grid: Grid) -> bool:
    return target in grid.neighbors(piece.position)


def move(piece: Piece, target: Cell) -> None:
    piece.position = target
