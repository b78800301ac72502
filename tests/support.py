"""Names the tests that cross packages share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
"""Where the programs of the environment under test lie."""


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder under a name of its own and return what it prints."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
