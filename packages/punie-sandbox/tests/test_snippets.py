"""The corpus of model-style snippets: they run, or a hint, applied, makes them run."""

from collections.abc import Iterator
from pathlib import Path

from punie_sandbox import Sandbox
from punie_sandbox.testing import MemoryProject

CORPUS = Path(__file__).parent / "data" / "snippets.txt"

NEITHER: frozenset[str] = frozenset()
"""Snippets that neither run nor get a hint."""


def snippets() -> Iterator[tuple[str, str, str | None]]:
    for part in CORPUS.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, text = part.partition("\n")
        code, divider, applied = text.partition("--- applied\n")
        yield name, code, applied if divider else None


async def test_at_least_95_percent_run_or_get_a_hint_that_makes_them_run() -> None:
    """behaviour: snippets.run-or-hint."""
    ran, hinted, neither = [], [], {}
    project = MemoryProject.sample()
    async with Sandbox(project.functions()) as sandbox:
        for name, code, applied in snippets():
            await sandbox.reset()
            project.files = MemoryProject.sample().files
            result = await sandbox.run(code)
            if result.ok:
                assert applied is None, f"{name} runs as it is"
                ran.append(name)
                continue
            hints = [d.hint for d in result.diagnostics] or [
                result.error.hint if result.error else None
            ]
            again = await sandbox.run(applied) if applied is not None else None
            if again is not None and again.ok and any(hints):
                hinted.append(name)
            else:
                neither[name] = (str(result.error), [str(d) for d in result.diagnostics], again)
    total = len(ran) + len(hinted) + len(neither)
    assert total >= 100
    assert set(neither) == NEITHER, neither
    assert len(neither) <= 0.05 * total
