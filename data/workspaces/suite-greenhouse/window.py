"""Windows in the roof."""

import json
import sys


def opening(degrees: float) -> int:
    """Return how far to open, in percent."""
    l = max(0.0, min(1.0, (degrees - 18) / 12))
    return round(l * 100)
