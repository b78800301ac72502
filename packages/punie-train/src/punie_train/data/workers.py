"""Executing tasks on all cores: one process each, because Python code of one process runs on one core.

Which process executes a task follows from timing; what comes of it does not.

Covered: sharing out, progress, what failed. Not covered: what is done (`punie_train.data.play`).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import Thread
from typing import Any

from punie_train.data.config import GenerateConfig
from punie_train.data.play import Numbered, Played, groups_of, play_share
from punie_train.data.tasks import Task
from punie_train.doctor import usable_cores
from punie_train.errors import DataError
from punie_train.progress import Progress

__all__ = ["play_all"]

WORTH_A_PROCESS = 500
"""So many tasks take longer than a process does to begin."""
_LOOK_EVERY = 0.2
"""Seconds between looks at how far the processes are."""
_COUNTS = 3
"""What a process counts: tasks, calls and remembered calls."""


def play_all(
    tasks: Sequence[Task],
    config: GenerateConfig,
    *,
    licence: str,
    progress: Progress,
    processes: int | None = None,
) -> list[dict[str, Any]]:
    """Execute the tasks and return their records, in order.

    Args:
        tasks: what is executed.
        config: which tools there are.
        licence: of the records.
        progress: told how many are done.
        processes: how many work at once; one for each core where tasks are many, else one.

    Raises:
        DataError: tasks failed; the message lists each with the reason.
    """
    count = processes or min(usable_cores(), 1 + len(tasks) // WORTH_A_PROCESS)
    with (
        tempfile.TemporaryDirectory(prefix="punie-data-") as name,
        progress.task("executing examples", len(tasks)) as bar,
    ):

        def show(done: int, calls: int, remembered: int) -> None:
            if done > bar.done:
                bar.advance(done - bar.done, calls=calls, remembered=remembered)

        folders = [Path(name, str(number)) for number in range(count)]
        for folder in folders:
            folder.mkdir()
        if count == 1:
            share = play_share(
                groups_of(tasks),
                config,
                licence=licence,
                folder=folders[0],
                on_done=lambda so_far: show(*_counted(so_far)),
            )
            played = [asyncio.run(share)]
        else:
            played = _in_processes(list(groups_of(tasks)), config, licence, folders, show)
    failures = {number: why for part in played for number, why in part.failures.items()}
    if failures:
        listed = "\n".join(f"  {failures[number]}" for number in sorted(failures))
        raise DataError(
            f"{len(failures)} of {len(tasks)} examples failed when they were run:\n{listed}"
        )
    records = {number: record for part in played for number, record in part.records.items()}
    return [records[number] for number in range(len(tasks))]


def _in_processes(
    groups: list[list[Numbered]],
    config: GenerateConfig,
    licence: str,
    folders: Sequence[Path],
    show: Callable[[int, int, int], None],
) -> list[Played]:
    """Execute groups of tasks in a process for each folder, and return what each of them did."""
    context = multiprocessing.get_context("spawn")
    taken, counts = context.Value("l", 0), context.Array("l", _COUNTS * len(folders))
    with ProcessPoolExecutor(len(folders), context, _begin, (taken, counts)) as pool:
        shares: list[Future[Played]] = [
            pool.submit(_work, groups, config, licence, folder, number)
            for number, folder in enumerate(folders)
        ]
        try:
            waiting = True
            while waiting:
                found = wait(shares, timeout=_LOOK_EVERY, return_when=FIRST_EXCEPTION)
                waiting = bool(found.not_done) and not any(one.exception() for one in found.done)
                show(*(sum(counts[at::_COUNTS]) for at in range(_COUNTS)))
            return [share.result() for share in shares]
        except BrokenProcessPool:
            raise DataError(
                "a process that executed examples was ended from outside (for want of memory?); "
                "nothing was written, run the stage again."
            ) from None
        finally:
            taken.value = len(groups)  # whatever happened: nobody is to begin another one


def _counted(played: Played) -> tuple[int, int, int]:
    return len(played.records) + len(played.failures), played.calls, played.remembered


_taken: Any = None
"""How many groups are taken, by any process."""
_counts: Any = None
"""What each process has counted."""


def _begin(taken: Any, counts: Any) -> None:
    global _taken, _counts
    _taken, _counts = taken, counts
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that began it has ended; killed, it could tell nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(
    groups: list[list[Numbered]],
    config: GenerateConfig,
    licence: str,
    folder: Path,
    number: int,
) -> Played:
    """Execute groups of tasks until none is left, in one of the processes."""

    def tell(played: Played) -> None:
        _counts[_COUNTS * number : _COUNTS * (number + 1)] = _counted(played)

    return asyncio.run(
        play_share(_left(groups), config, licence=licence, folder=folder, on_done=tell)
    )


def _left(groups: Sequence[list[Numbered]]) -> Iterator[list[Numbered]]:
    """Take one group after the other of those that no process has taken."""
    while True:
        with _taken.get_lock():
            mine = _taken.value
            _taken.value += 1
        if mine >= len(groups):
            return
        yield groups[mine]
