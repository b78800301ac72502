"""What the slow comparisons share: environments with real tools, and real source distributions.

Not part of the everyday tests: `pytest differential` downloads, and takes minutes. It needs `uv`,
on PATH or named by the environment variable UV, and `pip`, which can download without installing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: Source distributions and what they must be, so that every run compares the same files.
SDISTS = {
    "click==8.1.8": "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a",
    "flask==3.1.0": "5f873c5184c897c8d9d1b05df1e3d01b14910ce69607a117bd3277098a5836ac",
    "attrs==25.3.0": "75d7cefc7fb576747b2c81b4442d4d4a1ce0900973527c011d1030fd3bf4af1b",
    "jinja2==3.1.6": "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d",
    "networkx==3.4.2": "307c3669428c5362aab27c8a1260aa8f47c4e91d3891f48be0141738d8d053e1",
}


def run(*command: str) -> None:
    """Run a command, loudly when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")


def uv(*arguments: str) -> None:
    """Run uv."""
    program = os.environ.get("UV") or shutil.which("uv")
    if program is None:
        raise RuntimeError("these tests need uv, on PATH or named by UV")
    run(program, *arguments)


@pytest.fixture(scope="session")
def provide() -> Callable[..., None]:
    """A function that gives a workspace its own `.venv`, which holds the named requirements."""

    def install(root: Path, *requirements: str) -> None:
        uv("venv", "--quiet", "--python", sys.executable, str(root / ".venv"))
        python = str(root / ".venv" / "bin" / "python")
        uv("pip", "install", "--quiet", "--python", python, *requirements)

    return install


@pytest.fixture
def environment(provide: Callable[..., None], tmp_path: Path) -> Callable[..., Path]:
    """A function that makes an empty workspace with its own `.venv`."""

    def make(*requirements: str) -> Path:
        root = tmp_path / "workspace"
        root.mkdir()
        provide(root, *requirements)
        return root

    return make


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that returns a source distribution's archive, fetched once and verified."""
    folder = tmp_path_factory.mktemp("downloads")
    known: dict[str, Path] = {}

    def fetch(requirement: str) -> Path:
        if requirement not in known:
            name = requirement.partition("==")[0]
            wanted, into = folder / f"{name}.txt", folder / name
            wanted.write_text(f"{requirement} --hash=sha256:{SDISTS[requirement]}\n")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            run(
                *command,
                "--no-binary",
                name,
                "--require-hashes",
                "-d",
                str(into),
                "-r",
                str(wanted),
            )
            [known[requirement]] = into.iterdir()
        return known[requirement]

    return fetch


@pytest.fixture
def sources(downloads: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A function that unpacks a package's source distribution: its code, tests and documents."""

    def unpack(requirement: str) -> Path:
        shutil.unpack_archive(downloads(requirement), tmp_path / "sdist", filter="data")
        [root] = (tmp_path / "sdist").iterdir()
        return root

    return unpack
