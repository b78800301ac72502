"""What the slow comparisons share: environments with real tools and packages, from the index.

Not part of the everyday tests: `pytest differential` downloads, and takes minutes. It needs `uv`,
on PATH or named by the environment variable UV.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def uv(*arguments: str) -> None:
    """Run uv, loudly when it fails."""
    program = os.environ.get("UV") or shutil.which("uv")
    if program is None:
        raise RuntimeError("these tests need uv, on PATH or named by UV")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed: {done.stderr}")


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a workspace whose own `.venv` holds the named requirements."""

    def make(*requirements: str) -> Path:
        root = tmp_path / "workspace"
        root.mkdir()
        uv("venv", "--quiet", "--python", sys.executable, str(root / ".venv"))
        python = str(root / ".venv" / "bin" / "python")
        uv("pip", "install", "--quiet", "--python", python, *requirements)
        return root

    return make


@pytest.fixture
def sources(tmp_path: Path) -> Callable[[str], Path]:
    """A function that fetches a package's own files, without its dependencies."""

    def fetch(requirement: str) -> Path:
        root = tmp_path / "sources"
        uv("pip", "install", "--quiet", "--no-deps", "--target", str(root), requirement)
        shutil.rmtree(root / "bin", ignore_errors=True)
        return root

    return fetch
