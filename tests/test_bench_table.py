"""The table of benchmarks: what it shows of results, and how it compares two collections."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


def row(name: str, ratio: float, bound: str | float, *, ok: bool = True) -> dict[str, Any]:
    versions = {"punie-tools": "0.1.0", "pydantic": "2.14.4"}
    figures = {"measured": 3.0 * ratio, "peer": 3.0, "ratio": ratio}
    return {"name": name, **figures, "bound": bound, "ok": ok, "versions": versions}


def results(folder: Path, **files: list[dict[str, Any]]) -> Path:
    """Write result files, named by their keywords with `_` for `-`."""
    folder.mkdir()
    for name, rows in files.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(rows))
    return folder


def table(run: Run, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "scripts/bench_table.py", *arguments, cwd=ROOT, check=check)


def test_the_table_names_the_peers_and_the_versions(run: Run, tmp_path: Path) -> None:
    folder = results(tmp_path / "new", punie_tools_parsing=[row("parse: time (s)", 1.02, 1.4)])
    shown = table(run, "show", folder).stdout.splitlines()
    assert shown[1] == "punie-tools-parsing"
    assert "100 000 ty diagnostics against pydantic alone" in shown[2]
    assert [line.split() for line in shown if line.startswith("parse")] == [
        ["parse:", "time", "(s)", "3.06", "3", "1.02", "<=", "1.4", "yes"]
    ]
    assert "punie-tools 0.1.0, pydantic 2.14.4" in shown
    assert shown[-1] == "1 of 1 bounds hold."


def test_a_bound_that_does_not_hold_is_shown_and_is_the_exit_code(run: Run, tmp_path: Path) -> None:
    rows = [row("a (ms)", 3.0, "<= 2", ok=False), row("b (ms)", 1.0, "<= 2")]
    done = table(run, "show", results(tmp_path / "new", punie_tools_x=rows), check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 of 2 bounds hold."
    assert "NO" in done.stdout


def test_long_names_leave_every_column_whole(run: Run, tmp_path: Path) -> None:
    rows = [row("a name that goes on " * 5 + "(s)", 1234.0, "<= 2000 ms")]
    folder = results(tmp_path / "new", punie_tools_x=rows)
    shown = table(run, "show", folder).stdout.splitlines()
    (line,) = [each for each in shown if each.startswith("a name")]
    assert line.split()[-7:] == ["3,702", "3", "1,234", "<=", "2000", "ms", "yes"]
    assert line.startswith(rows[0]["name"])


def test_a_comparison_says_which_way_is_better_by_the_bound(run: Run, tmp_path: Path) -> None:
    def speed(ratio: float) -> dict[str, Any]:
        return row("tokens/s", ratio, ">= 3")

    old = results(tmp_path / "old", x=[row("time", 1.0, "<= 2"), speed(4), row("gone", 1, "<= 2")])
    new = results(tmp_path / "new", x=[row("time", 1.5, "<= 2"), speed(8), row("here", 1, "<= 2")])
    shown = [line.split() for line in table(run, "compare", old, new).stdout.splitlines()[1:]]
    assert shown == [
        ["x:", "time", "1", "1.5", "1.50", "worse"],
        ["x:", "tokens/s", "4", "8", "2.00", "better"],
        ["x:", "gone", "1", "-", "-", "only", "in", "old"],
        ["x:", "here", "-", "1", "-", "only", "in", "new"],
    ]


def test_a_folder_without_results_is_said(run: Run, tmp_path: Path) -> None:
    done = table(run, "show", results(tmp_path / "empty"), check=False)
    assert done.returncode == 2
    assert "holds no results; `nox -s bench` makes some." in done.stderr
