"""What another terminal sees of a run while it is made, and when it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from punie_train.artefacts import write_json
from punie_train.graph import STAGES, Run
from punie_train.progress import Progress, Task
from punie_train.status import BETWEEN_STAGES, watch


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of which nothing is made."""
    phase = tmp_path / "data/phases/phase1.toml"
    phase.parent.mkdir(parents=True)
    phase.write_text('description = "One."\nsuites = []\n')
    return Run(tmp_path, "phase1", "toy")


def progress(run: Run, stage: str) -> Progress:
    return Progress(io.StringIO(), status=run.folder / "status.json", stage=stage)


def ends(run: Run, stage: str, how: str) -> None:
    """Run a stage of one task of four steps in a process that ends after two of them."""
    program = f"""
import os, sys
from pathlib import Path
from punie_train.progress import Progress

progress = Progress(status=Path({str(run.folder / "status.json")!r}), stage={stage!r})
with progress.whole(), progress.task("steps", 4) as task:
    task.advance(2, loss=0.5)
    {how}
"""
    subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=False)


def watched(run: Run, meanwhile: Iterator[None] | None = None) -> tuple[int, list[str]]:
    """Watch a run; what happens between two looks is one step of `meanwhile`."""
    console = Console(file=io.StringIO(), width=200)
    code = watch([run], sleep=lambda _: next(meanwhile or iter(()), None), console=console)
    assert isinstance(console.file, io.StringIO)
    return code, console.file.getvalue().splitlines()


def test_a_chain_is_followed_to_the_model_that_it_makes(run: Run) -> None:
    def chain() -> Iterator[None]:
        for stage in STAGES:
            with progress(run, stage).whole():
                yield
            if stage == "report":
                write_json(run.done_path(stage), {"output": "digest"})
            yield

    meanwhile = chain()
    next(meanwhile)
    code, lines = watched(run, meanwhile)
    assert code == 0
    following = "then generate, merge, train, fuse, quantize, validate, report"
    assert lines[:2] == [
        f"phase1 base: base 0/1  [running]  {following}",
        f"phase1 base: base 1/1  eta 0s  [done]  {following}",
    ]
    model = run.path("quantize")
    assert lines[-2:] == [
        f"phase1 report: report 1/1  eta 0s  [done]  model {model}",
        f"done: {model}",
    ]
    assert len(lines) == 2 * len(STAGES) + 1


def test_on_a_terminal_the_lines_of_a_stage_replace_each_other(run: Run) -> None:
    def stages() -> Iterator[None]:
        for stage in ("merge", "train"):
            with progress(run, stage).whole():
                yield
            yield
        ends(run, "train", "os._exit(9)")
        yield

    meanwhile = stages()
    next(meanwhile)
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    assert watch([run], sleep=lambda _: next(meanwhile), console=console) == 1
    assert isinstance(console.file, io.StringIO)
    written = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", console.file.getvalue())
    screen = [line.rsplit("\r", 1)[-1] for line in written.split("\n")]
    assert [line.split("  ")[0] for line in screen] == [
        "phase1 merge: merge 1/1",
        "phase1 train: steps 2/4",
        "train was killed; `make phase1` goes on from there",
        "",
    ]


def test_a_stage_that_was_killed_is_not_waited_for(run: Run) -> None:
    ends(run, "train", "os._exit(9)")
    code, lines = watched(run)
    assert (code, lines[-1]) == (1, "train was killed; `make phase1` goes on from there")


def test_a_stage_that_failed_says_which_task_did(run: Run) -> None:
    ends(run, "train", "raise ValueError")
    following = "then fuse, quantize, validate, report"
    code, (line,) = watched(run)
    assert code == 1
    assert line.startswith("phase1 train: steps 2/4  loss 0.5  eta ")
    assert line.endswith(f"[failed]  {following}")


def test_a_chain_that_was_to_end_early_is_waited_for_as_long_as_another_stage_takes_to_begin(
    run: Run,
) -> None:
    ends(run, "merge", "pass")
    looks = iter([None] * BETWEEN_STAGES)
    code, lines = watched(run, looks)
    assert code == 0
    assert lines[1:] == ["nothing follows merge; `make phase1` goes on from there"]
    assert list(looks) == []


def test_where_nothing_was_made_there_is_nothing_to_follow(run: Run) -> None:
    assert watched(run) == (0, ["Nothing is running; `make phase23` begins."])


def test_a_stage_without_tasks_is_in_the_status_file(run: Run) -> None:
    with progress(run, "fuse").whole():
        during = json.loads((run.folder / "status.json").read_text())
    after = json.loads((run.folder / "status.json").read_text())
    assert [(each["task"], each["state"]) for each in (during, after)] == [
        ("fuse", "running"),
        ("fuse", "done"),
    ]


def test_steps_of_an_earlier_process_say_nothing_of_the_time_that_is_left() -> None:
    task = Task("train", 600, lambda _: None)
    task.go_on_after(400)
    assert (task.done, task.eta_seconds) == (400, None)
    task.started -= 10.0
    task.advance(2)
    assert task.eta_seconds == pytest.approx(990, rel=0.01)
