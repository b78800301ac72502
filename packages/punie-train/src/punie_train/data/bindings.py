"""What fills the slots of a phrasing: for each intent, a scene and the names to copy from it.

Every binder takes chance, the world and the intent's phrasing, and returns a `Binding`, or None where the
scene it drew does not suit. The names in the prompt are the ones the program uses, except where the prompt
leaves something out on purpose ("the project", a bare file name).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from punie_train.data.scenes import Stage, World
from punie_train.data.workspaces import Scene, Symbol

__all__ = [
    "LONGEST_FILE",
    "PLACE_BINDERS",
    "Binder",
    "Binding",
    "about_file",
    "can_say",
    "path_or_folder",
    "pick",
    "prefer_added",
    "python_folder",
    "quoted",
    "short_files",
]

LONGEST_FILE = 1300
"""Characters of a file that an example shows; longer ones would fill a small model's window."""

MOST_FILES = 5
"""Python files of a folder that are checked one by one."""

_OF_CLASSES = re.compile(r"fields|attributes|consists? of|made of")
_QUOTED = re.compile(r"([\"'`])\{(\w+)\}\1")


@dataclass(frozen=True)
class Binding:
    """What one example is about.

    Attributes:
        scene: where it happens.
        slots: what the programs are filled with.
        said: what the prompt is filled with, where it differs from the slots.
    """

    scene: Scene
    slots: Mapping[str, object]
    said: Mapping[str, str]


Binder = Callable[[Random, World], Binding | None]


def can_say(phrasing: str, binding: Binding) -> bool:
    """Whether a phrasing can be filled.

    It names a folder if and only if one is meant, its quotes can be told from those in what they hold, and
    nobody asks which fields a function has.
    """
    if binding.said.get("kind", "").endswith("function") and _OF_CLASSES.search(phrasing):
        return False
    if "dir" in binding.said and bool(binding.said["dir"]) != ("{dir}" in phrasing):
        return False
    quoted_slots = _QUOTED.findall(phrasing)
    return not any(mark in str(binding.slots.get(slot, "")) for mark, slot in quoted_slots)


def pick(rng: Random, items: list[str]) -> str | None:
    """Draw one, or None where there is none."""
    return rng.choice(items) if items else None


def short_files(scene: Scene, suffixes: tuple[str, ...] = ("",)) -> list[str]:
    """Return the files with one of these extensions that are short enough to be shown whole."""
    return [
        path
        for path, text in scene.files.items()
        if text.strip() and len(text) <= LONGEST_FILE and path.endswith(suffixes)
    ]


def python_folder(rng: Random, folders: Sequence[str]) -> tuple[str, str]:
    """Return one of the folders, or the project's own, as the program names it and as the prompt does."""
    if rng.random() < 0.06:
        return ".", rng.choice(
            ("the project", "this project", "the whole project", "the current directory")
        )
    folder = rng.choice(folders)
    if rng.random() < 0.6:
        folder += "/"
    return folder, quoted(rng, folder)


def quoted(rng: Random, name: str) -> str:
    """Return a name as the prompt has it: now and then in backticks."""
    return f"`{name}`" if rng.random() < 0.08 else name


def prefer_added(rng: Random, stage: Stage, paths: list[str]) -> str | None:
    """Return one of the paths, mostly that of the module which was added to the scene."""
    if stage.new:
        return pick(rng, [path for path in stage.new if path in paths])
    if stage.added and stage.added.path in paths and rng.random() < 0.75:
        return stage.added.path
    return pick(rng, paths)


def about_file(rng: Random, scene: Scene, path: str | None, **more: object) -> Binding | None:
    """Bind a path, and whatever else the programs need; None where there is no path."""
    if path is None:
        return None
    return Binding(scene, {"path": path, **more}, {"path": quoted(rng, path)})


def _bare_name(rng: Random, stage: Stage, suffix: str = "") -> tuple[str, str] | None:
    """A file below a folder whose name occurs once: its path and its bare name."""
    names = [path.rsplit("/", 1)[-1] for path in stage.scene.files]
    paths = [
        path
        for path in short_files(stage.scene)
        if "/" in path and path.endswith(suffix) and names.count(path.rsplit("/", 1)[-1]) == 1
    ]
    path = prefer_added(rng, stage, paths)
    return (path, path.rsplit("/", 1)[-1]) if path else None


def named(suffix: str = "") -> Binder:
    """A file that lies in a folder but is called by its bare name."""

    def bind(rng: Random, world: World) -> Binding | None:
        stage = world.stage(rng)
        found = _bare_name(rng, stage, suffix)
        if found is None:
            return None
        path, name = found
        return Binding(stage.scene, {"path": path, "name": name}, {"path": name})

    return bind


_KINDS = {
    "class": ("class", "class", "model", "dataclass", "type"),
    "function": ("function", "function", "function", "helper function"),
}


def symbol(*, shown: bool) -> Binder:
    """A class or function; only ones in short files when it is shown."""

    def bind(rng: Random, world: World) -> Binding | None:
        stage = world.stage(rng)
        short = set(short_files(stage.scene))
        found: list[Symbol] = [
            each
            for each in stage.scene.symbols
            if not shown or (each.file in short and _is_found(stage.scene, each))
        ]
        if stage.new:
            found = [each for each in found if each.file in stage.new]
        elif stage.added and rng.random() < 0.8:
            found = [each for each in found if each.file == stage.added.path] or found
        wanted = "class" if rng.random() < 0.6 else "function"
        found = [each for each in found if each.kind == wanted] or found
        if not found:
            return None
        chosen = rng.choice(found)
        kind = rng.choice(_KINDS[chosen.kind])
        if chosen.name.endswith(("Config", "Options", "Settings")):
            kind = rng.choice(("config", "class", "settings class"))
        if kind == "dataclass" and not _is_dataclass(stage.scene, chosen):
            kind = "class"
        slots = {"symbol": chosen.name, "keyword": chosen.keyword, "path": chosen.file}
        called = chosen.kind == "function" and rng.random() < 0.2
        said = quoted(rng, f"{chosen.name}()" if called else chosen.name)
        return Binding(stage.scene, slots, {"symbol": said, "kind": kind})

    return bind


def _is_found(scene: Scene, symbol: Symbol) -> bool:
    """Whether its definition is the only one of that name; a method elsewhere would be found as well."""
    definition = re.compile(rf"\b{symbol.keyword} {symbol.name}\b")
    return [path for path in scene.python_files if definition.search(scene.files[path])] == [
        symbol.file
    ]


def _is_dataclass(scene: Scene, symbol: Symbol) -> bool:
    return (
        re.search(rf"^@dataclass.*\nclass {symbol.name}\b", scene.files[symbol.file], re.MULTILINE)
        is not None
    )


def folder(rng: Random, world: World) -> Binding | None:
    """A folder with Python files."""
    stage = world.stage(rng, added=0.75)
    path, said = python_folder(rng, stage.folders)
    return Binding(stage.scene, {"dir": path}, {"dir": said})


def path_or_folder(rng: Random, world: World) -> Binding | None:
    """A Python file, or a folder."""
    stage = world.stage(rng)
    if rng.random() < 0.35:
        path, said = python_folder(rng, stage.folders)
        return Binding(stage.scene, {"path": path}, {"path": said})
    return about_file(rng, stage.scene, prefer_added(rng, stage, stage.scene.python_files))


def two_files(rng: Random, world: World) -> Binding | None:
    """Two Python files."""
    stage = world.stage(rng, added=0.8)
    files = stage.scene.python_files
    new = [path for path in stage.new if path in files]
    if len(new) > 1:
        pair = rng.sample(new, 2)
    elif stage.added and rng.random() < 0.8:
        other = rng.choice([path for path in files if path != stage.added.path])
        pair = [stage.added.path, other]
        rng.shuffle(pair)
    else:
        pair = rng.sample(files, 2)
    return Binding(stage.scene, {"first": pair[0], "second": pair[1]}, {})


def few_files(rng: Random, world: World) -> Binding | None:
    """A folder with a few Python files, and the letter that some of their names begin with."""
    stage = world.stage(rng, added=0.75)
    folder = rng.choice(stage.folders).rstrip("/")
    files = [path for path in stage.scene.python_files if path.startswith(f"{folder}/")]
    if not 1 < len(files) <= MOST_FILES:
        return None
    letter = rng.choice(files).rsplit("/", 1)[-1][0]
    if rng.random() < 0.4:
        folder += "/"
    slots = {"dir": folder, "letter": letter}
    return Binding(stage.scene, slots, {"dir": quoted(rng, folder)})


def python_file(rng: Random, world: World) -> Binding | None:
    """A Python file."""
    stage = world.stage(rng)
    return about_file(rng, stage.scene, prefer_added(rng, stage, stage.scene.python_files))


PLACE_BINDERS: Mapping[str, Binder] = {
    "show_symbol": symbol(shown=True),
    "recover_read": named(),
    "list_dir": folder,
    "find_python": folder,
    "find_named": named(),
    "find_definition": symbol(shown=False),
    "find_usages": symbol(shown=False),
    "python_file": python_file,
    "check": path_or_folder,
    "list_errors": python_file,
    "first_error": path_or_folder,
    "check_both": two_files,
    "count_errors": path_or_folder,
    "is_clean": path_or_folder,
    "errors_by_file": folder,
    "errors_by_code": path_or_folder,
    "messages": path_or_folder,
    "positions": path_or_folder,
    "flagged_lines": python_file,
    "each_file": few_files,
    "each_named": few_files,
    "size_and_check": python_file,
    "find_check": named(".py"),
    **dict.fromkeys(
        ("recover", "recover_clean", "recover_count", "recover_list", "recover_messages"),
        named(".py"),
    ),
}
