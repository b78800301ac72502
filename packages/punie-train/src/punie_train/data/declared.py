"""Intents that need no Python here: their slots are declared beside their programs, in `tasks.toml`.

A project of one's own, with tools of one's own, teaches them with these:

    [most_complex]
    category = "complexity"
    weight = 3
    steps = ['print(complexity({{path}}).highest)']
    slots.path = { files = "*.py" }
    slots.limit = { values = [1, 2, 3] }

Covered: drawing the slots. Not covered: added modules, planted faults, prompts that leave something out;
those are for the built-in intents (`punie_train.data.bindings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from random import Random

from punie_train.data.bindings import LONGEST_FILE, Binding
from punie_train.data.scenes import World
from punie_train.data.sources import Slot, TaskTemplate
from punie_train.data.workspaces import Scene

__all__ = ["bind_declared"]


def bind_declared(rng: Random, world: World, template: TaskTemplate) -> Binding | None:
    """Draw a workspace and a value for each slot; None where a slot finds no file in it."""
    scene = Scene(world.workspaces[rng.choice(sorted(world.workspaces))], {})
    slots: dict[str, object] = {}
    for name, slot in template.slots.items():
        options = _options(slot, scene)
        if not options:
            return None
        slots[name] = rng.choice(options)
    return Binding(scene, slots, {})


def _options(slot: Slot, scene: Scene) -> Sequence[object]:
    if slot.values:
        return slot.values
    return [
        path
        for path, text in sorted(scene.files.items())
        if text.strip() and len(text) <= LONGEST_FILE and fnmatch(path, slot.files)
    ]
