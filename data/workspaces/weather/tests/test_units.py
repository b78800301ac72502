from units import celsius_to_fahrenheit, mps_to_kmh


def test_freezing_point():
    assert celsius_to_fahrenheit(0) == 32


def test_wind_speed():
    assert mps_to_kmh(10) == 36.0
