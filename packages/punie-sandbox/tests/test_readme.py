"""Every Python example of the readme is executed; interactive ones print what they show.

behaviour: readme.examples
"""

import ast
import asyncio
import inspect
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

README = Path(__file__).parents[1] / "README.md"


class Examples(CodeBlockParser):
    """Python blocks, with top-level `await`; `>>>` blocks are compared with their output."""

    language = "python"

    def evaluate(self, example: Example) -> str | None:
        """Run one block."""
        space: dict[str, Any] = example.namespace
        loop = space.setdefault("__loop__", asyncio.Runner())
        source = str(example.parsed)
        if source.startswith(">>>"):
            return compared(source, space)
        tree = ast.parse("\n" * (example.line + example.parsed.line_offset) + source, str(README))
        code = compile(tree, str(README), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        space.setdefault("__name__", "readme")
        outcome = eval(code, space)
        if inspect.iscoroutine(outcome):
            loop.run(outcome)
        return None


def compared(source: str, space: dict[str, Any]) -> str | None:
    """Evaluate `>>> print(...)` and compare with the lines below."""
    first, _, shown = source.partition("\n")
    expression = first.removeprefix(">>> print(").removesuffix(")")
    printed = str(eval(expression, space)) + "\n"
    wanted = shown.replace("<BLANKLINE>", "").rstrip("\n")
    return None if printed.rstrip("\n") == wanted else f"printed:\n{printed}\nshown:\n{wanted}"


def test_every_example_of_the_readme_runs() -> None:
    """behaviour: readme.examples."""
    document = Sybil(parsers=[Examples()]).parse(README)
    examples = list(document.examples())
    assert len(examples) >= 10
    for example in examples:
        example.evaluate()
    document.namespace["__loop__"].close()


def test_the_readme_counts_what_is_there() -> None:
    """behaviour: readme.counts."""
    text = " ".join(README.read_text(encoding="utf-8").split())
    data = Path(__file__).parent / "data"
    attempts = (data / "escapes.txt").read_text(encoding="utf-8").split("=== ")[1:]
    snippets = (data / "snippets.txt").read_text(encoding="utf-8").split("=== ")[1:]
    hinted = sum("--- applied\n" in snippet for snippet in snippets)
    assert f"{len(attempts)} escape and exhaustion attempts" in text
    assert f"{len(snippets)} snippets in the style models write" in text
    assert f"{len(snippets) - hinted} run as they are, {hinted} get a hint" in text
