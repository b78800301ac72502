from soil import Bed, dry, litres


def test_dry_beds_are_found():
    assert [bed.name for bed in dry([Bed("a", 0.1), Bed("b", 0.8)])] == ["a"]


def test_water_is_rounded_up():
    assert litres(Bed("a", 0.25)) == 8


def test_wet_beds_get_nothing():
    assert litres(Bed("a", 1.0)) == 1
