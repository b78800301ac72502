"""Memory of the process that trains."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_CHUNKS = """
from pathlib import Path

from punie_train.training.memory import give_back_freed


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


kept = [bytearray(60_000) for _ in range(4000)]  # below what malloc asks of the system for each
del kept[:-1]
before = resident()
give_back_freed()
print(before - resident())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="the C library gives back by itself, or there is no /proc to see it in",
)
def test_what_was_freed_is_given_back_though_something_later_is_still_in_use() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _CHUNKS], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) > 200_000_000
