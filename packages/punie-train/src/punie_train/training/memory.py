"""How much memory this process has taken, and giving back what it has freed."""

from __future__ import annotations

import ctypes
import resource
import sys


def peak_gigabytes() -> float:
    """Return the peak resident memory of this process, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def give_back_freed() -> None:
    """Give freed memory back to the system where the C library can (malloc_trim(3)) and would keep it.

    What compilers and loaders of models leave would else lie beside what a long computation takes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
