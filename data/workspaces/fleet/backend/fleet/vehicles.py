"""The vans."""

from dataclasses import dataclass


@dataclass
class Van:
    plate: str
    capacity_kg: float
    mileage: int = 0


@dataclass
class ServicePlan:
    every_km: int
    last_km: int


def needs_service(van: Van, plan: ServicePlan) -> bool:
    return van.mileage - plan.last_km >= plan.every_km


def describe(van: Van) -> str:
    return van.plate + " carries " + van.capacity_kg
