"""Executing tasks in several processes."""

from __future__ import annotations

import io
from dataclasses import replace

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
