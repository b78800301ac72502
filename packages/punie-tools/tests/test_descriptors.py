"""Running many children at once touches nobody else's file descriptors."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from punie_tools import LocalHost


def open_descriptors() -> list[Path]:
    """Return this process's open descriptors."""
    return sorted(Path("/dev/fd").iterdir())


async def test_children_at_once_leave_the_descriptors_of_others_open(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    before = open_descriptors()
    others: list[int] = []

    async def churn() -> None:
        while len(others) < 400:
            others.extend(os.pipe())
            await asyncio.sleep(0)

    children = [host.run([sys.executable, "-c", "print('x')"]) for _ in range(16)]
    done, _ = await asyncio.gather(asyncio.gather(*children), churn())
    for descriptor in others:
        os.close(descriptor)  # raises OSError for one that somebody closed before us
    assert [completed.stdout for completed in done] == [b"x\n"] * 16
    assert open_descriptors() == before
