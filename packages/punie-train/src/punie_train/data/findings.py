"""What the type checker says about each fault of the sources, asked once for all of them.

A prompt in which somebody pastes a finding holds what the tool really says, not what it might.

Covered: faults with exactly one finding; others are left out. Not covered: findings of workspaces.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from punie_tools import LocalHost, Toolbox
from punie_train.data.mutations import mutated
from punie_train.data.sources import Module

__all__ = ["IN_SIGHT", "Finding", "find_faults", "with_mistakes"]

IN_SIGHT = 5
"""Lines that are looked at to mend a type error: the flagged one and those before it."""


@dataclass(frozen=True)
class Finding:
    """One type error: its line (from 1), the rule and the message."""

    line: int
    code: str
    message: str


def find_faults(modules: Sequence[Module]) -> Mapping[tuple[str, int], Finding]:
    """Return the findings by a module's first stem and the number of the fault in it."""
    if not any(module.breaks for module in modules):
        return {}
    found: dict[str, list[Finding]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="punie-faults-") as folder:
        for stem, number, text in _faulty(modules):
            Path(folder, f"{stem}__{number}.py").write_text(text, encoding="utf-8")
        result = asyncio.run(Toolbox(LocalHost(folder)).typecheck("."))
    for error in result.errors:
        found[error.file].append(Finding(error.line, error.code, error.message))
    return {
        (stem, number): found[f"{stem}__{number}.py"][0]
        for stem, number, _ in _faulty(modules)
        if len(found[f"{stem}__{number}.py"]) == 1
    }


def with_mistakes(modules: Sequence[Module], most: int) -> list[Module]:
    """Return the modules with faults made by rule as well, each with one finding that it is in sight of.

    Args:
        modules: right as they stand.
        most: how many mistakes are tried in each.
    """
    if not most:
        return list(modules)
    made = [
        module.model_copy(update={"breaks": tuple(mutated(module, most))}) for module in modules
    ]
    found = find_faults(made)
    return [
        module.model_copy(update={"breaks": (*module.breaks, *_in_sight(other, found))})
        for module, other in zip(modules, made, strict=True)
    ]


def _in_sight(
    module: Module, found: Mapping[tuple[str, int], Finding]
) -> Iterator[tuple[str, str]]:
    for number, (right, wrong) in enumerate(module.breaks):
        finding = found.get((module.stems[0], number))
        line = module.source[: module.source.index(right)].count("\n") + 1
        if finding is not None and 0 <= finding.line - line < IN_SIGHT:
            yield right, wrong


def _faulty(modules: Sequence[Module]) -> Iterator[tuple[str, int, str]]:
    """Yield each module with each of its faults."""
    for module in modules:
        for number, (right, wrong) in enumerate(module.breaks):
            if module.source.count(right) == 1:
                yield module.stems[0], number, module.source.replace(right, wrong)
