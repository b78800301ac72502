"""Progress of long work: a bar with ETA on a terminal, plain lines in a log.

Covered: one task at a time, its measurements (loss, tokens per second), and a JSON file another
terminal can follow. Not covered: nested bars; a stage is one task after another.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


T = TypeVar("T")

LOG_INTERVAL_SECONDS = 10.0


class Task:
    """One piece of long work with a known number of steps; made by `Progress.task`."""

    def __init__(self, name: str, total: int, show: Callable[[Task], None]) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.figures: dict[str, float] = {}
        self.started = time.monotonic()
        self._show = show
        self._found = 0
        self.last_shown = 0.0

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Count steps as done and show the figures, such as `loss=1.2`, beside the bar."""
        self.done += steps
        self.figures.update(figures)
        self._show(self)

    def go_on_after(self, steps: int) -> None:
        """Count steps that were done by an earlier process: they say nothing of the pace of this one."""
        self._found += steps
        self.advance(steps)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at the mean pace so far; None before the first step."""
        own = self.done - self._found
        if not own:
            return None
        elapsed = time.monotonic() - self.started
        return elapsed / own * max(self.total - self.done, 0)

    def line(self) -> str:
        """Return the task as one line of a log."""
        figures = "".join(f"  {key} {value:.4g}" for key, value in self.figures.items())
        eta = self.eta_seconds
        left = "" if eta is None else f"  eta {eta:.0f}s"
        return f"{self.name}: {self.done}/{self.total}{figures}{left}"


class Progress:
    """Shows tasks as bars on a terminal and as plain lines elsewhere, and mirrors them to a status file.

    Args:
        stream: where to write; the default is standard error.
        status: a JSON file rewritten (atomically) with the state of the current task, or None.
        stage: the stage the tasks belong to, recorded in the status file.
    """

    def __init__(
        self, stream: TextIO | None = None, status: Path | None = None, stage: str = ""
    ) -> None:
        self._stream = stream or sys.stderr
        self._status = status
        self._stage = stage
        self._bar: RichProgress | None = None
        self._bar_id = None
        self._state = ""

    @contextmanager
    def whole(self) -> Generator[None]:
        """Mirror a stage from its beginning to its end, whatever tasks it has; nothing is shown of it."""
        task = Task(self._stage, 1, lambda _: None)
        self._mirror(task, "running")
        try:
            yield
        except BaseException:
            if self._state != "failed":  # else the task that failed says more
                self._mirror(task, "failed")
            raise
        task.advance()
        self._mirror(task, "done")

    @contextmanager
    def task(self, name: str, total: int) -> Generator[Task]:
        """Run a task of `total` steps; the bar or the last line is written when the block ends."""
        task = Task(name, total, self._show)
        if self._stream.isatty():
            self._bar = _make_bar(self._stream)
            self._bar_id = self._bar.add_task(name, total=total, figures="")
            self._bar.start()
        try:
            self._mirror(task, "running")
            yield task
        except BaseException:
            self._mirror(task, "failed")
            raise
        else:
            self._mirror(task, "done")
        finally:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
            else:
                self._print(task.line())

    def track(self, name: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield the items, one step each."""
        with self.task(name, total) as task:
            for item in items:
                yield item
                task.advance()

    def note(self, text: str) -> None:
        """Print one line that is not a step, such as what was found or written."""
        self._print(text)

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def _show(self, task: Task) -> None:
        if self._bar is not None and self._bar_id is not None:
            figures = "  ".join(f"{key} {value:.4g}" for key, value in task.figures.items())
            self._bar.update(self._bar_id, completed=task.done, figures=figures)
        now = time.monotonic()
        if now - task.last_shown < LOG_INTERVAL_SECONDS:
            return
        task.last_shown = now
        self._mirror(task, "running")
        if self._bar is None:
            self._print(task.line())

    def _mirror(self, task: Task, state: str) -> None:
        self._state = state
        if self._status is None:
            return
        record = {
            "stage": self._stage,
            "task": task.name,
            "state": state,
            "done": task.done,
            "total": task.total,
            "eta_seconds": task.eta_seconds,
            "figures": task.figures,
            "pid": os.getpid(),
            "updated": time.time(),
        }
        self._status.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._status.with_name(self._status.name + ".tmp")
        temporary.write_text(json.dumps(record))
        temporary.replace(self._status)


def _make_bar(stream: TextIO) -> RichProgress:
    # Imported late: `make` asks this program whether anything needs doing, and shows no bar for that.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream),
    )
