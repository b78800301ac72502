"""Every Python block of the README runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

README = Path(__file__).parents[1] / "README.md"
DOCUMENT = Sybil(parsers=[PythonCodeBlockParser()], path=str(README.parent)).parse(README)


def test_the_readme_has_examples() -> None:
    assert len(list(DOCUMENT.examples())) >= 4


def test_every_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in DOCUMENT.examples():
        example.evaluate()
