"""What the tests that cross packages share: a copy of the repository to work in."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support import PROGRAMS, ROOT, git


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the working tree's files, committed, so that tests may change it as they like."""
    folder = tmp_path_factory.mktemp("repository") / "punie"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Copy"]):
        git(folder, *command)
    return folder


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment with the programs under test first on PATH and user folders of its own."""
    return {
        **os.environ,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "PUNIE_DATA_DIR": str(tmp_path_factory.mktemp("user-data")),
        "HF_HUB_OFFLINE": "1",
        "MLX_DISABLE_COMPILE": "1",
    }


@pytest.fixture
def run(environment: Mapping[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command to its end and return its output as text."""

    def call(
        *argv: str | Path, cwd: Path, check: bool = True, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd,
            env={**environment, **extra},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"{argv}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    return call
