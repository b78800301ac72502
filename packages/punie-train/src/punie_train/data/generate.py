"""The stage `generate`: from sources and workspaces to executed records."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from punie_train.artefacts import write_jsonl
from punie_train.data.config import GenerateConfig
from punie_train.data.findings import find_faults, with_mistakes
from punie_train.data.likeness import Alike, LeakIndex, suite_prompts
from punie_train.data.scenes import World
from punie_train.data.sources import read_sources
from punie_train.data.tasks import Task, draw, draw_drills
from punie_train.data.wide import WideWorld
from punie_train.data.workers import play_all
from punie_train.data.workspaces import read_workspaces
from punie_train.progress import Progress

__all__ = ["generate"]


def generate(
    config: GenerateConfig,
    *,
    sources: Path,
    workspaces: Path,
    out: Path,
    progress: Progress,
    suites: Sequence[Path] = (),
) -> None:
    """Draw the examples, execute each one, and write the records as JSON Lines.

    Args:
        config: what is generated.
        sources: `data/sources`.
        workspaces: `data/workspaces`.
        out: the JSONL file.
        progress: told how many are done.
        suites: frozen suites; prompts that give a query away are passed over.

    Raises:
        DataError: a source breaks a rule, or examples failed when they were run (each is listed).
    """
    read = read_sources(sources)
    read = replace(read, modules=tuple(with_mistakes(read.modules, config.mistakes)))
    world = World(read, read_workspaces(workspaces), find_faults(read.modules))
    leaks = LeakIndex.of(suite_prompts(suites), config.ngram)
    alike = Alike(config.near_duplicate)

    def accept(task: Task) -> bool:
        prompts = [each.prompt for each in task.exchanges]
        done = [step for each in task.exchanges for step in each.steps or (each.answer,)]
        asked = [each.prompt for each in task.exchanges if each.steps]
        leaked = any(map(leaks.leaked, prompts)) or any(map(leaks.phrased, asked))
        return not leaked and alike.add(task.id, prompts, done) is None

    tasks: list[Task] = []
    for category, quota in config.counts.items():
        tasks += draw(world, category, quota, seed=config.seed, accept=accept)
    seen, drawn = {task.key for task in tasks}, Counter(task.intent for task in tasks)
    wide = WideWorld(world.sources, world.workspaces, world.findings, seed=config.seed)
    for intent, count in config.drills.items():
        tasks += draw_drills(
            wide, intent, count, seed=config.seed, seen=seen, accept=accept, after=drawn[intent]
        )
    started = time.monotonic()
    records = play_all(tasks, config, licence=world.sources.licence, progress=progress)
    write_jsonl(out, records)
    progress.note(f"{len(records)} examples executed in {time.monotonic() - started:.1f} s")
