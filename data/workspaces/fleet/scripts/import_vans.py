"""Read vans from a text file, one plate a line."""

from fleet.vehicles import Van


def read_vans(text: str) -> list[Van]:
    return [Van(plate=line.strip(), capacity=900.0) for line in text.splitlines()]
