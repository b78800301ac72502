"""Executing tasks in several processes."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from punie_train.data import GenerateConfig
from punie_train.data.scenes import World
from punie_train.data.tasks import Task, draw
from punie_train.data.workers import play_all
from punie_train.errors import DataError
from punie_train.progress import Progress


@pytest.fixture(scope="module")
def tasks(world: World) -> list[Task]:
    return [
        task
        for category in ("reading", "writing", "ty_check", "direct")
        for task in draw(world, category, (6, 0, 0), seed=5, accept=lambda task: True)
    ]


def played(tasks: list[Task], processes: int, shown: io.StringIO) -> list[dict]:
    progress = Progress(stream=shown)
    return play_all(tasks, GenerateConfig(), licence="MIT", progress=progress, processes=processes)


def test_two_processes_make_of_tasks_what_one_does(tasks):
    one, two = io.StringIO(), io.StringIO()
    assert played(tasks, 1, one) == played(tasks, 2, two)
    assert one.getvalue().count(f"executing examples: {len(tasks)}/{len(tasks)}") == 1
    assert two.getvalue().count(f"executing examples: {len(tasks)}/{len(tasks)}") == 1


def test_what_fails_in_another_process_is_listed_in_the_order_of_the_tasks(tasks):
    spoilt = [
        replace(
            task, exchanges=tuple(replace(each, steps=("nothing()",)) for each in task.exchanges)
        )
        if number in (1, 8)
        else task
        for number, task in enumerate(tasks)
    ]
    with pytest.raises(DataError, match=r"^2 of 24 examples failed") as raised:
        played(spoilt, 2, io.StringIO())
    first, second = str(raised.value).splitlines()[1:]
    assert first.startswith(f"  {tasks[1].id} ")
    assert second.startswith(f"  {tasks[8].id} ")


def test_no_process_is_begun_for_no_tasks():
    assert played([], 1, io.StringIO()) == []


KILLED = """
import sys
from pathlib import Path
from punie_train.data import GenerateConfig, workers
from punie_train.data.scenes import World
from punie_train.data.sources import read_sources
from punie_train.data.tasks import draw
from punie_train.data.workspaces import read_workspaces
from punie_train.progress import Progress, Task

if __name__ == "__main__":
    world = World(read_sources(Path(sys.argv[1])), read_workspaces(Path(sys.argv[2])))
    tasks = list(draw(world, "ty_check", (8, 0, 0), seed=5, accept=lambda task: True))
    Task.advance = lambda *_, **__: print("working", flush=True)
    workers.play_all(tasks * 200, GenerateConfig(), licence="MIT", progress=Progress(), processes=2)
"""


def test_processes_end_with_a_run_that_was_killed(
    sources: Path, workspaces: Path, tmp_path: Path
) -> None:
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(sources), str(workspaces)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"working\n"
        run.kill()
        run.communicate(timeout=60)  # which ends when nobody is left who could write
    assert run.returncode == -9
