"""The README's Python runs as it stands, from top to bottom."""

from __future__ import annotations

from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

README = Path(__file__).parent.parent / "README.md"


def test_the_readmes_python_blocks_run_in_order() -> None:
    document = Sybil([PythonCodeBlockParser()]).parse(README)
    examples = list(document.examples())
    assert len(examples) >= 2
    for example in examples:
        example.evaluate()
