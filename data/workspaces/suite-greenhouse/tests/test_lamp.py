import pytest

from lamp import hours, watts


def test_hours():
    assert hours(9.0) == 4.0


@pytest.mark.skip(reason="no dimmer yet")
def test_dimmer():
    assert hours(9.0, 10.0) == 1.0


def test_watts():
    assert watts([40, 60]) == "100"
