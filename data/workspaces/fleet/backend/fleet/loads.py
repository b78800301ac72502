"""What a van carries."""

from dataclasses import dataclass

from fleet.vehicles import Van


@dataclass
class Parcel:
    code: str
    weight_kg: float


def fits(van: Van, parcels: list[Parcel]) -> bool:
    return sum(parcel.weight_kg for parcel in parcels) <= van.capacity


def heaviest(parcels: list[Parcel]) -> Parcel:
    return max(parcels, key=lambda parcel: parcel.weight_kg)
