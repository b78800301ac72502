from ferry.fare import fare, group


def test_car_with_two():
    assert fare(4.2, 2) == 1400


def test_long_car():
    assert fare(6.0, 1) == 1650


def test_groups_pay_less():
    assert group(10) == 2250
