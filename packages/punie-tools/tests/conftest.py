"""What the tests share: workspaces, recorded outputs, and the two Hypothesis profiles."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from punie_tools import LocalHost, Toolbox

DATA = Path(__file__).parent / "data"

settings.register_profile(
    "default",
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("fuzz", parent=settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class Recording(NamedTuple):
    """What a real tool wrote when it had findings."""

    tool: str
    stdout: bytes
    exit_code: int


#: Outputs of real tools (ty 0.0.105, ruff 0.17.6, pytest 9.2.0, git 2.39, mypy 1.15 and 2.4.1,
#: basedpyright 1.40.2, coverage 7.17.3).
RECORDINGS = [
    Recording("ty", (DATA / "ty.gitlab.json").read_bytes(), 1),
    Recording("ruff", (DATA / "ruff.json").read_bytes(), 1),
    Recording("ruff-format", (DATA / "ruff-format.txt").read_bytes(), 1),
    Recording("ty-sarif", (DATA / "ty.sarif.json").read_bytes(), 1),
    Recording("ty-concise", (DATA / "ty.concise.txt").read_bytes(), 1),
    Recording("mypy", (DATA / "mypy2.jsonl").read_bytes(), 1),
    Recording("basedpyright", (DATA / "basedpyright.json").read_bytes(), 1),
    Recording("pyrefly", (DATA / "pyrefly.json").read_bytes(), 1),
    Recording("coverage", (DATA / "coverage.json").read_bytes(), 2),
    Recording("pytest", (DATA / "pytest.jsonl").read_bytes(), 1),
    Recording("git-status", (DATA / "git-status.bin").read_bytes(), 0),
    Recording("git-diff", (DATA / "git-diff.bin").read_bytes(), 1),
    Recording("git-log", (DATA / "git-log.bin").read_bytes(), 0),
]


@pytest.fixture(params=RECORDINGS, ids=lambda each: each.tool)
def recording(request: pytest.FixtureRequest) -> Recording:
    """Each recorded output in turn."""
    return request.param


@pytest.fixture
def recorded() -> dict[str, Recording]:
    """The recorded outputs by tool."""
    return {each.tool: each for each in RECORDINGS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty workspace; the directory it is in is outside of it."""
    root = (tmp_path / "work space").resolve()
    root.mkdir()
    return root


@pytest.fixture
def host(root: Path) -> LocalHost:
    """The workspace's host."""
    return LocalHost(root)


@pytest.fixture
def toolbox(host: LocalHost) -> Toolbox:
    """The workspace's tools."""
    return Toolbox(host)


@pytest.fixture
def git(root: Path):
    """A function that runs git in the workspace, which it makes a repository."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root.parent),
        "GIT_AUTHOR_NAME": "Ann Ünal",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Ann Ünal",
        "GIT_COMMITTER_EMAIL": "ann@example.org",
        "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+01:00",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00",
        "GIT_CONFIG_NOSYSTEM": "1",
    }

    def run(*arguments: str | bytes) -> bytes:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=root, env=environment, check=True, capture_output=True
        ).stdout

    run("init", "-q", "-b", "main")
    return run
