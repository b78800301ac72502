"""Bindings about code that must be written: files with known type errors, and functions for known classes.

What an edit or a function is made from is always in sight: in what the first program prints, or in what the
prompt itself pastes. Otherwise the model would learn to guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from random import Random

from punie_train.data.bindings import (
    LONGEST_FILE,
    Binder,
    Binding,
    about_file,
    prefer_added,
    quoted,
)
from punie_train.data.edits import LineEdit, line_edits, line_replacements
from punie_train.data.findings import IN_SIGHT
from punie_train.data.scenes import Stage, World, shadows
from punie_train.data.workspaces import Scene

__all__ = ["REPAIR_BINDERS"]

TWO_FAULTS = 0.4
"""Probability of two faults in a file that is to be fixed."""
TRIES = 40
"""Files that are drawn until one has two faults of different sorts."""
BELOW_SRC = 0.6
"""Probability that a class that could lie in a package below `src` does; half for one at the root."""
SHOWN_CHARACTERS = 300
"""Characters of a class that the first program of a coding example shows."""


def fix(rng: Random, world: World) -> Binding | None:
    """A file with type errors whose right text is known; often with two, one a wrong return annotation."""
    if rng.random() >= TWO_FAULTS:
        return _faulty_file(rng, world, 1)
    found = (_faulty_file(rng, world, 2) for _ in range(TRIES))
    return next((each for each in found if each is not None and _two_sorts(each)), None)


def _two_sorts(binding: Binding) -> bool:
    """Whether there are two edits, one of them of a return annotation."""
    wrong = binding.slots["wrong"]
    assert isinstance(wrong, list)
    return len(wrong) == 2 and sum("->" in piece for piece in wrong) == 1


def _apart(text: str, edits: list[LineEdit]) -> bool:
    """Whether each edit is in another function or class: within one, two faults could fit each other."""
    lines = text.splitlines()
    places = {"\n".join(lines[: edit.number]).count("\n\n\n") for edit in edits}
    return len(places) == len(edits)


def _faulty_file(rng: Random, world: World, faults: int) -> Binding | None:
    stage = world.stage(rng, added=0.8, faults=faults)
    faulty = [path for path in stage.right if len(stage.scene.files[path]) <= LONGEST_FILE]
    path = prefer_added(rng, stage, faulty)
    if path is None:
        return None
    try:
        edits = line_edits(stage.scene.files[path], stage.right[path])
    except ValueError:
        return None
    text = stage.scene.files[path]
    if not (_apart(text, edits) and all(_in_sight(text, edit) for edit in edits)):
        return None
    wrong = [edit.old for edit in edits]
    one_by_one = [line_replacements([edit]) for edit in edits]
    return about_file(rng, stage.scene, path, edits=one_by_one, wrong=wrong)


def _in_sight(text: str, edit: LineEdit) -> bool:
    """Whether a wrong return annotation is close enough to the returns that the checker reports."""
    if "->" not in edit.old:
        return True
    body = text.splitlines()[edit.number :]
    end = next((n for n, line in enumerate(body) if line and not line.startswith(" ")), len(body))
    returns = [n for n, line in enumerate(body[:end], start=1) if "return " in line]
    return all(n < IN_SIGHT for n in returns)


def fix_finding(rng: Random, world: World) -> Binding | None:
    """A type error that somebody pastes, with the lines that must be seen to repair it."""
    faulty = world.faulty(rng)
    if faulty is None:
        return None
    text, finding = faulty.scene.files[faulty.path], faulty.finding
    try:
        edits = line_edits(text, faulty.right)
    except ValueError:
        return None
    first, last = edits[0].number, edits[-1].number
    if last > finding.line or finding.line - first >= IN_SIGHT:
        return None
    shown = "\n".join(text.splitlines()[first - 1 : finding.line])
    slots = {
        "number": finding.line,
        "code": finding.code,
        "message": finding.message,
        "lines": shown,
        "edits": line_replacements(edits),
    }
    return about_file(rng, faulty.scene, faulty.path, **slots)


def coding(rng: Random, world: World) -> Binding | None:
    """A class of the added module, and a function somebody could want for it."""
    stage = world.stage(rng, added=1, faults=0, importable=True)
    assert stage.added is not None
    if not stage.added.tasks:
        return None
    task = rng.choice(stage.added.tasks)
    path, scene = _below_src(rng, world, stage)
    target = f"{task.name}.py"
    module = PurePosixPath(path.removeprefix("src/")).with_suffix("").as_posix().replace("/", ".")
    if target in scene.files or module.split(".")[0] == task.name:
        return None
    text = scene.files[path]
    if not _fields_in_sight(text, task.takes, task.code):
        return None
    slots = {
        "symbol": task.takes,
        "gives": task.gives,
        "code": task.code,
        "module": module,
        "target": target,
        "path": path,
        "source": _source_of(text, task.takes),
    }
    said = {"symbol": quoted(rng, task.takes), "about": _about(task.gives, task.takes)}
    if rng.random() < 0.3:
        said["gives"] = task.gives.removeprefix("the ").removeprefix("its ")
    return Binding(scene, slots, said)


def _about(gives: str, symbol: str) -> str:
    """Return what a function gives, with the class in place of the pronoun: "whether an Invoice is paid"."""
    one = f"an {symbol}" if symbol[0] in "AEIO" else f"a {symbol}"
    for pronoun, name in (("its", f"{one}'s"), ("it", one)):
        if re.search(rf"\b{pronoun}\b", gives):
            return re.sub(rf"\b{pronoun}\b", name, gives, count=1)
    if re.search(r"^whether|'s ", gives):
        return f"{gives}, given {one}"
    what, *how = re.split(r"(?= (?:as|like|in|with) )", gives, maxsplit=1)
    return "".join([f"{what} of {one}", *how])


def _below_src(rng: Random, world: World, stage: Stage) -> tuple[str, Scene]:
    """Return where the added module lies and the scene, often moved into a package in the folder `src`.

    There the folder `src` is left out when it is imported, and the package below it is not.
    """
    assert stage.added is not None
    old = stage.added.path
    package = rng.choice(world.sources.names.children)
    new = f"src/{old}" if "/" in old else f"src/{package}/{old}"
    top = new.split("/")[1]
    extra = {path: text for path, text in stage.scene.extra.items() if path != old}
    scene = Scene(stage.scene.workspace, {**extra, new: stage.scene.files[old]})
    roots = {path.split("/")[0].removesuffix(".py") for path in scene.files}
    if (
        "src" in old.split("/")
        or top in roots
        or not Scene(scene.workspace, extra).takes(new)
        or shadows(new, scene.workspace)
        or rng.random() >= (BELOW_SRC if "/" in old else BELOW_SRC / 2)
    ):
        return old, stage.scene
    return new, scene


def _source_of(text: str, symbol: str) -> str:
    """Return the source of a class without its docstring, as somebody would paste it."""
    source = text[text.index(f"class {symbol}") :].split("\n\n\n", maxsplit=1)[0].rstrip()
    return re.sub(r'\n    """.*?"""\n\n?', "\n", source, flags=re.DOTALL)


def _fields_in_sight(text: str, symbol: str, code: str) -> bool:
    """Whether the attributes that a function uses are in what is shown of the class."""
    found = text.find(f"class {symbol}")
    parameter = re.search(r"\((\w+):", code)
    if found < 0 or parameter is None:
        return False
    shown = text[found:][:SHOWN_CHARACTERS]
    return all(
        re.search(rf"\b{name}\b", shown)
        for name in re.findall(rf"\b{parameter.group(1)}\.(\w+)", code)
    )


REPAIR_BINDERS: Mapping[str, Binder] = {
    "fix": fix,
    "fix_finding": fix_finding,
    "coding": coding,
    "coding_pasted": coding,
}
