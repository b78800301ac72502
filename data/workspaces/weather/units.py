"""Unit conversions."""


def celsius_to_fahrenheit(celsius: float) -> float:
    return celsius * 9 / 5 + 32


def hpa_to_mmhg(hpa: float) -> float:
    return hpa * 0.750062


def mps_to_kmh(mps: float) -> float:
    return mps * 3.6
