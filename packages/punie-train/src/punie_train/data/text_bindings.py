"""Bindings about texts: files to be read and written, lines to be appended, words to be replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random

from punie_train.data.bindings import (
    Binder,
    Binding,
    about_file,
    pick,
    prefer_added,
    quoted,
    short_files,
)
from punie_train.data.scenes import Stage, World
from punie_train.data.workspaces import Scene, Symbol, Workspace

__all__ = ["TEXT_BINDERS"]

_LONE = 0.34
"""Probability that the file to be read is a new one that no module imports: a script, or settings."""

_CODE = 0.2
"""Probability that the text of a new file is code."""


def read_file(rng: Random, world: World) -> Binding | None:
    """Any short text file; now and then a script, where only the words say that it is not to be run."""
    stage = world.stage(rng)
    chance = rng.random()
    if chance > _LONE:
        return about_file(rng, stage.scene, prefer_added(rng, stage, short_files(stage.scene)))
    path = world.script_path(rng) if chance < _LONE / 2 else world.data_path(rng)
    if not stage.scene.takes(path):
        return None
    text = f"{world.code(rng)}\n" if path.endswith(".py") else _settings(rng, world, path)
    return about_file(rng, Scene(stage.scene.workspace, {path: text}), path)


def _settings(rng: Random, world: World, path: str) -> str:
    """A few keys and their values, in the manner of the file's format."""
    pairs = {world.word(rng): rng.randint(1, 900) for _ in range(rng.randint(2, 5))}
    if path.endswith(".json"):
        return json.dumps(pairs, ensure_ascii=False, indent=2) + "\n"
    mark = ": " if path.endswith((".md", ".yaml", ".yml")) else " = "
    return "".join(f"{key}{mark}{value}\n" for key, value in pairs.items())


def read_head(rng: Random, world: World) -> Binding | None:
    """A file and a number of lines."""
    stage = world.stage(rng)
    path = prefer_added(rng, stage, short_files(stage.scene))
    return about_file(rng, stage.scene, path, count=rng.choice(world.sources.snippets.head_counts))


def write_text(rng: Random, world: World) -> Binding | None:
    """A new text file."""
    stage = world.stage(rng, added=0)
    path, text = world.text_path(rng), world.text(rng)
    if rng.random() < _CODE:
        path, text = world.script_path(rng), world.code(rng)
    if not stage.scene.takes(path):
        return None
    return Binding(stage.scene, {"path": path, "text": text}, {"path": quoted(rng, path)})


def append_line(rng: Random, world: World) -> Binding | None:
    """A text file that gets one more line."""
    stage = world.stage(rng, added=0)
    path = pick(rng, short_files(stage.scene, (".md", ".txt")))
    extra = world.text_path(rng)
    text = world.text(rng)
    scene = stage.scene
    if (stage.new or rng.random() < 0.6) and scene.takes(extra):
        path = extra
        scene = Scene(scene.workspace, {extra: world.text(rng) + "\n"})
    if path is None:
        return None
    return Binding(
        scene, {"path": path, "text": text, "line": text + "\n"}, {"path": quoted(rng, path)}
    )


def replace_text(rng: Random, world: World) -> Binding | None:
    """A name in a module that gets another name, or a word in a text file that becomes another."""
    stage = world.stage(rng, added=0.8)
    if rng.random() < 0.45:
        return _replaced_word(rng, world, stage.scene.workspace)
    short = set(short_files(stage.scene, (".py",)))
    found = [
        each for each in stage.scene.symbols if each.file in short and _only_whole(stage, each)
    ]
    if stage.new:
        found = [each for each in found if each.file in stage.new]
    elif stage.added and rng.random() < 0.85:
        found = [each for each in found if each.file == stage.added.path] or found
    if not found:
        return None
    chosen = rng.choice(found)
    new = world.new_name(rng, chosen.name, chosen.kind)
    if new == chosen.name:
        return None
    return about_file(rng, stage.scene, chosen.file, old=chosen.name, new=new)


def _replaced_word(rng: Random, world: World, workspace: Workspace) -> Binding | None:
    path, lines = world.text_path(rng), [world.text(rng) for _ in range(rng.randint(2, 4))]
    text = "".join(f"{line}\n" for line in lines)
    line = rng.choice(lines)
    words, others = (re.findall(r"[\w.#]{2,}", each) for each in (line, world.text(rng)))
    scene = Scene(workspace, {})
    if not words or not others or not scene.takes(path):
        return None
    old, new = rng.choice(
        (
            (line, world.text(rng)),
            *_other_value(rng, line),
            *((word, rng.choice(others)) for word in words),
        )
    )
    if text.count(old) != 1 or old == new:
        return None
    return about_file(rng, Scene(workspace, {path: text}), path, old=old, new=new)


def _other_value(rng: Random, line: str) -> list[tuple[str, str]]:
    """A line `key = value` and the same key with another number, if the line is one; it counts for two."""
    key, mark, value = line.partition(" = ")
    if not mark:
        return []
    new = rng.choice((f"{rng.randint(0, 999)}", f"{rng.randint(1, 99) / 10}"))
    return [(line, f"{key} = {new}"), (value, new)]


def _only_whole(stage: Stage, symbol: Symbol) -> bool:
    """Whether the name never stands inside another word of its file."""
    text = stage.scene.files[symbol.file]
    return text.count(symbol.name) == len(re.findall(rf"(?<![\w.]){symbol.name}(?!\w)", text))


def create_function(rng: Random, world: World) -> Binding | None:
    """A new module with one function."""
    stage = world.stage(rng, added=0)
    path = world.function_path(rng)
    if not stage.scene.takes(path):
        return None
    function = rng.choice(world.sources.snippets.function)
    slots = {"path": path, "does": function.does, "code": function.code}
    return Binding(stage.scene, slots, {"path": quoted(rng, path)})


TEXT_BINDERS: Mapping[str, Binder] = {
    "read_file": read_file,
    "read_head": read_head,
    "count_lines": read_file,
    "write_text": write_text,
    "append_line": append_line,
    "replace_text": replace_text,
    "create_function": create_function,
}
