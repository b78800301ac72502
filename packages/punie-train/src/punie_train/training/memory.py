"""How much memory this process has taken."""

from __future__ import annotations

import resource
import sys


def peak_gigabytes() -> float:
    """Return the peak resident memory of this process, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
