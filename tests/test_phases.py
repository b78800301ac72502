"""The phases of this repository promise what they draw."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from punie_train.phase import read_phase

PHASES = Path(__file__).parents[1] / "data/phases"


def variants() -> list[tuple[str, str]]:
    """Every phase with every data variant it knows, those of the phase it extends included."""
    found = []
    for path in sorted(PHASES.glob("*.toml")):
        names, at = {""}, path
        while at is not None:
            table = tomllib.loads(at.read_text())
            names |= table.get("data", {}).keys()
            at = PHASES / f"{table['extends']}.toml" if "extends" in table else None
        found += [(path.stem, name) for name in sorted(names)]
    return found


@pytest.mark.parametrize(("phase", "data"), variants())
def test_a_merge_expects_as_many_rows_as_are_drawn(phase: str, data: str) -> None:
    read = read_phase(PHASES / f"{phase}.toml", data=data)
    drawn = tuple(map(sum, zip(*read.config("generate").counts.values(), strict=True)))
    assert read.config("merge").sizes in (None, drawn)
