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
from punie_train.data.edits import replace_calls, replacements
from punie_train.data.scenes import World

__all__ = ["REPAIR_BINDERS"]

SHOWN_LINES = 5
"""Lines that the first program of a fix shows of each type error: the wrong one and those before it."""
SHOWN_CHARACTERS = 300
"""Characters of a class that the first program of a coding example shows."""


def fix(rng: Random, world: World) -> Binding | None:
    """A file with type errors whose right text is known."""
    stage = world.stage(rng, added=0.8, faults=rng.choice((1, 1, 2)))
    faulty = [path for path in stage.right if len(stage.scene.files[path]) <= LONGEST_FILE]
    path = prefer_added(rng, stage, faulty)
    if path is None:
        return None
    try:
        pairs = replacements(stage.scene.files[path], stage.right[path])
    except ValueError:
        return None
    if not all(_in_sight(stage.scene.files[path], old) for old, _ in pairs):
        return None
    slots = {"edits": replace_calls(pairs), "wrong": [old for old, _ in pairs]}
    return about_file(rng, stage.scene, path, **slots)


def _in_sight(text: str, old: str) -> bool:
    """Whether a wrong return annotation is close enough to the returns that the checker reports."""
    lines = text.splitlines()
    number = text[: text.index(old)].count("\n")
    if "->" not in lines[number]:
        return True
    body = lines[number + 1 :]
    end = next((n for n, line in enumerate(body) if line and not line.startswith(" ")), len(body))
    returns = [n for n, line in enumerate(body[:end], start=1) if "return " in line]
    return all(n < SHOWN_LINES for n in returns)


def fix_finding(rng: Random, world: World) -> Binding | None:
    """A type error that somebody pastes, with the lines that must be seen to repair it."""
    faulty = world.faulty(rng)
    if faulty is None:
        return None
    text, finding = faulty.scene.files[faulty.path], faulty.finding
    try:
        pairs = replacements(text, faulty.right)
    except ValueError:
        return None
    before = text.splitlines()[: finding.line]
    for count in range(1, SHOWN_LINES + 1):
        shown = "\n".join(before[-count:])
        if all(old in shown for old, _ in pairs):
            break
    else:
        return None
    slots = {
        "number": finding.line,
        "code": finding.code,
        "message": finding.message,
        "lines": shown,
        "edits": replace_calls(pairs),
    }
    return about_file(rng, faulty.scene, faulty.path, **slots)


def coding(rng: Random, world: World) -> Binding | None:
    """A class of the added module, and a function somebody could want for it."""
    stage = world.stage(rng, added=1, faults=0, importable=True)
    assert stage.added is not None
    if not stage.added.tasks:
        return None
    task = rng.choice(stage.added.tasks)
    target = f"{task.name}.py"
    module = (
        PurePosixPath(stage.added.path.removeprefix("src/"))
        .with_suffix("")
        .as_posix()
        .replace("/", ".")
    )
    if target in stage.scene.files or module.split(".")[0] == task.name:
        return None
    text = stage.scene.files[stage.added.path]
    if not _fields_in_sight(text, task.takes, task.code):
        return None
    slots = {
        "symbol": task.takes,
        "gives": task.gives,
        "code": task.code,
        "module": module,
        "target": target,
        "path": stage.added.path,
        "source": _source_of(text, task.takes),
    }
    said = {"symbol": quoted(rng, task.takes)}
    if rng.random() < 0.3:
        said["gives"] = task.gives.removeprefix("the ").removeprefix("its ")
    return Binding(stage.scene, slots, said)


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
