from games.board.grid import Grid


def test_corner_has_two_neighbours():
    assert len(Grid(3, 3).neighbours((0, 0))) == 2


def test_outside():
    assert not Grid(3, 3).contains((3, 0))
