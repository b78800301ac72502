"""Settings and fixtures of all of the package's tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from punie_agent.contract import Contract, standard_functions
from punie_tools import LocalHost, Toolbox

settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

PHASE_23_TOOLS = ["typecheck", "read_file", "write_file", "run_command"]


@pytest.fixture(autouse=True)
def data_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a data folder of its own, and no model of the user is in reach."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("PUNIE_DATA_DIR", str(folder))
    monkeypatch.delenv("PUNIE_MODEL", raising=False)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with one type error."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text('count: int = "three"\n')
    return folder


@pytest.fixture
def host(project: Path) -> LocalHost:
    return LocalHost(project)


@pytest.fixture
def contract(host: LocalHost) -> Contract:
    return Contract(standard_functions(Toolbox(host), PHASE_23_TOOLS))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare text with a committed file; PUNIE_WRITE_GOLDENS=1 writes it."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "data" / "goldens" / name
        if os.environ.get("PUNIE_WRITE_GOLDENS"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
