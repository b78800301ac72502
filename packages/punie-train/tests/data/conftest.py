"""A small world for the data tests: a part of Punie's sources, and one workspace with known faults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from punie_train.data import GenerateConfig, generate
from punie_train.data.scenes import World
from punie_train.data.sources import read_sources
from punie_train.data.workspaces import read_workspaces
from punie_train.progress import Progress

settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SOURCES = Path(__file__).parent / "small" / "sources"

FILES = {
    "README.md": "# Shelf\n\nKeeps books on a shelf.\n",
    "pyproject.toml": '[project]\nname = "shelf"\nversion = "1"\nrequires-python = ">=3.11"\n',
    "shelf/__init__.py": "",
    "shelf/books.py": (
        '"""Books."""\n\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Book:\n    title: str\n'
        "    pages: int\n\n\ndef is_long(book: Book) -> bool:\n    return book.page > 300\n"
    ),
    "shelf/report.py": (
        '"""Reports."""\n\nfrom shelf.books import Book\n\n\ndef line(book: Book, mark: str = None) -> str:\n'
        "    return f\"{mark or '-'} {book.title}\"\n"
    ),
    "tests/test_books.py": (
        "from shelf.books import Book\n\n\ndef test_title():\n    assert Book('Emma', 400).title == 'Emma'\n"
    ),
}

FAULTS = """
[[type_error]]
file = "shelf/books.py"
wrong = "book.page >"
right = "book.pages >"

[[type_error]]
file = "shelf/report.py"
wrong = "mark: str = None"
right = "mark: str | None = None"
"""

COUNTS = {
    "reading": (10, 1, 1),
    "writing": (5, 1, 1),
    "ty_check": (8, 1, 1),
    "ty_fix": (4, 1, 1),
    "direct": (6, 1, 1),
    "dialogue": (2, 0, 0),
}


@pytest.fixture(scope="session")
def sources() -> Path:
    return SOURCES


@pytest.fixture(scope="session")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspaces")
    for path, text in FILES.items():
        target = folder / "shelf" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (folder / "shelf.toml").write_text(FAULTS)
    return folder


@pytest.fixture(scope="session")
def world(sources: Path, workspaces: Path) -> World:
    return World(read_sources(sources), read_workspaces(workspaces))


@pytest.fixture(scope="session")
def counts_asked() -> dict[str, tuple[int, int, int]]:
    return COUNTS


@pytest.fixture(scope="session")
def generated(sources: Path, workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records that were executed once for all tests that only look at them."""
    out = tmp_path_factory.mktemp("generated") / "records.jsonl"
    generate(
        GenerateConfig(counts=COUNTS),
        sources=sources,
        workspaces=workspaces,
        out=out,
        progress=Progress(),
    )
    return out
