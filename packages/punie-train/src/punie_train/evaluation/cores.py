"""Threads that share pieces of work too short for a pool, which would take as long to hand them out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

__all__ = ["Cores"]


class Cores:
    """Threads that do parts of a section, one on each core; the calling thread does the first part."""

    def __init__(self, count: int) -> None:
        self._jobs: list[SimpleQueue[Callable[[], None] | None]] = []
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        for _ in range(count - 1):
            jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
            threading.Thread(target=_work, args=(jobs, self._done), daemon=True).start()
            self._jobs.append(jobs)

    def share(self, section: Callable[[int, int], None], *, alone: bool = False) -> None:
        """Do a section: called with which part of how many, once for each."""
        if alone or not self._jobs:
            section(0, 1)
            return
        parts = len(self._jobs) + 1
        for number, jobs in enumerate(self._jobs, start=1):
            jobs.put(lambda number=number: section(number, parts))
        section(0, parts)
        failed = [self._done.get() for _ in self._jobs]
        for error in failed:
            if error is not None:
                raise error

    def __del__(self) -> None:
        """End the threads."""
        for jobs in self._jobs:
            jobs.put(None)


def _work(
    jobs: SimpleQueue[Callable[[], None] | None], done: SimpleQueue[BaseException | None]
) -> None:
    while (job := jobs.get()) is not None:
        try:
            job()
            job = None  # what it was a part of is not kept while the thread waits
        except BaseException as error:  # noqa: BLE001 - it is raised where the section was asked for
            done.put(error)
        else:
            done.put(None)
