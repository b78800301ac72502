from ferry.timetable import clock, departures


def test_clock():
    assert clock(425) == "07:05"


def test_last_departure_is_in_the_table():
    assert departures(360, 420, 30) == [360, 390, 420]


def test_first_departure():
    assert departures(360, 420, 30)[0] == 360
