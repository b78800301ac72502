from window import opening


def test_closed_in_the_cold():
    assert opening(10.0) == 0


def test_open_in_the_heat():
    assert opening(40.0) == 100


def test_half_open():
    assert opening(24.0) == 50
