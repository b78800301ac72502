"""A rectangular board."""

Cell = tuple[int, int]


class Grid:
    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height

    def contains(self, cell: Cell) -> bool:
        x, y = cell
        return 0 <= x < self.width and 0 <= y < self.height

    def neighbours(self, cell: Cell) -> list[Cell]:
        x, y = cell
        around = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
        return [other for other in around if self.contains(other)]
