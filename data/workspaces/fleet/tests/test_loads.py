from fleet.loads import Parcel, heaviest


def test_heaviest():
    light, heavy = Parcel("A", 1.0), Parcel("B", 9.5)
    assert heaviest([light, heavy]) == heavy
