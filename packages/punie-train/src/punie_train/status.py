"""What people see of runs: a table of stages, and a view that follows what is running."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from punie_train.errors import PhaseError
from punie_train.graph import STAGES, Run, is_alive

STYLES = {
    "fresh": "green",
    "stale": "yellow",
    "missing": "red",
    "running": "cyan",
    "waiting": "yellow",
}
WATCH_SECONDS = 1.0
BETWEEN_STAGES = 30
"""How many looks are taken at a stage that is done before its chain counts as ended: `make` starts the next
one in another process."""


def find_runs(root: Path, phase: str | None, model: str, data: str) -> list[Run]:
    """Return the run that is named, or every run that has files under `build/`.

    Raises:
        PhaseError: the phase does not exist.
    """
    if phase:
        return [Run(root, phase, model, data)]
    runs = []
    for folder in sorted((root / "build").glob("*/stages")):
        found = _parse_name(root, folder.parent.name)
        if found:
            runs.append(found)
    return runs


def _parse_name(root: Path, name: str) -> Run | None:
    # A folder is <phase>-<model> or <phase>-<data>-<model>, and each of them may have dashes of its own.
    # A phase has a file, a data variant is one that the file knows, and the base model lies under build/.
    parts = name.split("-")
    for end_of_phase, end_of_data in combinations_with_replacement(range(1, len(parts)), 2):
        phase = "-".join(parts[:end_of_phase])
        variant = "-".join(parts[end_of_phase:end_of_data])
        try:
            run = Run(root, phase, "-".join(parts[end_of_data:]), variant)
        except PhaseError:
            continue
        if run.folder.name == name and _known_model(run):
            return Run(root, phase, _origin(run), variant)
    return None


def _origin(run: Run) -> str:
    """Return what the base model was named by: its folder, where it is a folder of one's own."""
    try:
        lock = json.loads(run.lock_path("base").read_text(encoding="utf-8"))
        spec = lock["base_model"]
        return spec["origin"] if spec["kind"] == "folder" else run.model
    except (OSError, ValueError, KeyError):
        return run.model


def _known_model(run: Run) -> bool:
    return run.path("base").exists()


def print_status(runs: Sequence[Run], console: Console | None = None) -> None:
    """Print a table for each run: stage, state, reason."""
    console = console or Console()
    if not runs:
        console.print("Nothing was made yet; `make phase23` begins.")
    for run in runs:
        table = Table(
            title=f"{run.variant} on {run.model_name}",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for column in ("stage", "state", "why"):
            table.add_column(column)
        for row in run.freshness():
            table.add_row(row.stage, f"[{STYLES[row.state]}]{row.state}[/]", row.reason)
        console.print(table)


def watch(
    runs: Sequence[Run], *, sleep: Callable[[float], None], console: Console | None = None
) -> int:
    """Follow the run whose status changed last until its chain ends, or what makes it is killed.

    Args:
        runs: the candidates.
        sleep: waits between looks, in seconds.
        console: where to print; standard output by default.

    Returns:
        0 when it ended well, 1 when a stage failed or was killed.
    """
    with _Lines(console or Console(soft_wrap=True)) as lines:
        return _follow(runs, sleep, lines)


class _Lines:
    """Shows the lines of a watch: on a terminal those of one stage replace each other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def show(self, line: str, stage: str = "") -> None:
        """Show a line; of a stage, in place of the one before."""
        if not stage or not self._console.is_terminal:
            self._end()
            self._console.print(line, markup=False, highlight=False)
            return
        if self._live is None or stage != self._stage:
            self._end()
            self._live, self._stage = Live(console=self._console, auto_refresh=False), stage
            self._live.start()
        self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def _end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _follow(runs: Sequence[Run], sleep: Callable[[float], None], lines: _Lines) -> int:
    shown, looks = "", 0
    while True:
        current = latest(runs)
        if current is None:
            lines.show("Nothing is running; `make phase23` begins.")
            return 0
        run, status = current
        line = describe(run, status)
        looks += 1
        if line != shown:
            lines.show(line, status["stage"])
            shown, looks = line, 0
        if status["state"] == "failed":
            return 1
        if (
            run.output_digest("report")
            and status["stage"] == "report"
            and status["state"] == "done"
        ):
            lines.show(f"done: {run.path('quantize')}")
            return 0
        if not is_alive(status["pid"]):
            again = f"`make {run.variant}` goes on from there"
            if status["state"] == "running":
                lines.show(f"{status['stage']} was killed; {again}")
                return 1
            if looks >= BETWEEN_STAGES:
                lines.show(f"nothing follows {status['stage']}; {again}")
                return 0
        sleep(WATCH_SECONDS)


def latest(runs: Sequence[Run]) -> tuple[Run, dict[str, Any]] | None:
    """Return the run with the newest status file, and what it says."""
    found = []
    for run in runs:
        path = run.folder / "status.json"
        try:
            found.append((path.stat().st_mtime, run, json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError):
            continue
    if not found:
        return None
    _, run, status = max(found, key=lambda item: item[0])
    return run, status


def describe(run: Run, status: dict[str, Any]) -> str:
    """Return one line: stage, step, figures, time left and what comes next."""
    names = list(STAGES)
    following = names[names.index(status["stage"]) + 1 :] if status["stage"] in names else []
    figures = "".join(f"  {key} {value:.4g}" for key, value in status["figures"].items())
    eta = "" if status["eta_seconds"] is None else f"  eta {status['eta_seconds']:.0f}s"
    after = f"  then {', '.join(following)}" if following else f"  model {run.path('quantize')}"
    return (
        f"{run.variant} {status['stage']}: {status['task']} {status['done']}/{status['total']}"
        f"{figures}{eta}  [{status['state']}]{after}"
    )
