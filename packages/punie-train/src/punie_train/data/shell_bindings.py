"""Bindings about commands and searches: what is run, and what is looked for in files and in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from punie_train.data.bindings import (
    LONGEST_FILE,
    Binder,
    Binding,
    path_or_folder,
    pick,
    python_folder,
    quoted,
)
from punie_train.data.scenes import Stage, World
from punie_train.data.workspaces import Scene

__all__ = ["SHELL_BINDERS"]

_ANYWHERE = 0.5
"""Probability that no folder is named where one could be: the whole project is meant."""


def run_command(rng: Random, world: World) -> Binding | None:
    """A command line that is given word for word."""
    stage = world.stage(rng)
    path = pick(rng, [each for each in stage.new if each.endswith(".py")])
    path = path or rng.choice(stage.scene.python_files)
    number = rng.choice(world.sources.snippets.head_counts)
    folder = rng.choice(stage.folders)
    made = (
        f"wc -l {path}", f"head -n {number} {path}", f"tail -n {number} {path}", f"grep -n def {path}",
        f"ls {folder}", f"grep -c import {path}", f"wc -c {path}", f"grep -rn class {folder}",
        f"find {folder} -type f", f"sort {path}", f"wc -w {path}", f"sort -r {path}",
        f"head -n {number} {path} | sort", f"tail -n {number} {path} | wc -c", f"sort {path} | uniq | wc -l",
        f"ls {folder} | sort -r", f"ls {folder} | wc -l", f"basename {path}", f"dirname {path}",
        f"test -f {path} && echo there", f"nl {path}", f"grep -v import {path} | head -n {number}",
        f"head -c {number * 10} {path}", f"cut -c 1-{number} {path}", f"mkdir -p {folder}/{world.word(rng)}",
    )  # fmt: skip
    known = world.sources.snippets.commands
    command = rng.choice(
        rng.choice((made, made, known, _spoken(rng, world), _computed(rng, world)))
    )
    if command.startswith(("sort", "nl")) and len(stage.scene.files[path]) > LONGEST_FILE:
        return None
    return Binding(stage.scene, {"command": command}, {})


def _spoken(rng: Random, world: World) -> tuple[str, ...]:
    """Commands that say something."""
    one, two = world.word(rng), world.word(rng)
    return (
        f"echo {world.text(rng)!r}",
        f"echo {one}",
        f"echo {one} {two}",
        f"echo '{one}, {two}'",
        f"echo '{one} ({two})'",
        f'echo "{one} and {two}"',
        f"echo {one} | wc -c",
        f"echo '{two} {one} {two}' | wc -w",
        f"printf '{one}-{two}'",
    )


def _computed(rng: Random, world: World) -> tuple[str, ...]:
    """Commands that compute something, in all sorts of brackets and quotes."""
    one, two, few = rng.randint(2, 99), rng.randint(2, 2000), rng.randint(2, 9)
    word = world.word(rng)
    return (
        f"python -c 'print({one} * {two})'",
        f"python -c 'print({one}+{two})'",
        f"python -c 'print(({two} - {one}) / {few})'",
        f'python -c "print({few} ** {one})"',
        f"python -c 'print(sum(range({one})))'",
        f"python -c 'print(round({two} / {few}, 2))'",
        f'python -c "print(max({one}, {two}))"',
        f"python -c 'print(divmod({two}, {few}))'",
        f"python -c \"print('{word}'.upper())\"",
        f"python -c 'print([{few}, {one}][::-1])'",
        f"python -c 'import math; print(math.sqrt({one}))'",
        f"python -c 'print(hex({two}), bin({few}))'",
        f"expr {one} + {two}",
        f"expr {two} % {few}",
        f"seq {few}",
        f"seq {few} {few + 5}",
        f"echo $(({one} + {few}))",
    )


def run_script(rng: Random, world: World) -> Binding | None:
    """A new script that prints something."""
    stage = world.stage(rng, added=0)
    path = world.script_path(rng)
    if not stage.scene.takes(path):
        return None
    text = f"print({rng.choice(world.sources.snippets.texts)!r})\n"
    scene = Scene(stage.scene.workspace, {path: text})
    return Binding(scene, {"path": path}, {"path": quoted(rng, path)})


_UNTIDY = (
    "\n\nNAMES = [ 'a','b' ]\n",
    "\n\nLIMITS = {'low':1,\n 'high' : 9}\n",
    "\n\ndef same( value: int )->int:\n  return value\n",
    "\nEMPTY=()\n",
)


def format_target(rng: Random, world: World) -> Binding | None:
    """A Python file, which the formatter would change as often as not, or a folder."""
    binding = path_or_folder(rng, world)
    if binding is None:
        return None
    scene, path = binding.scene, str(binding.slots["path"])
    if path not in scene.files or rng.random() < 0.4:
        return binding
    text = scene.files[path] + rng.choice(_UNTIDY)
    return Binding(Scene(scene.workspace, {**scene.extra, path: text}), binding.slots, binding.said)


_IN_WORDS: Mapping[str, tuple[str, ...]] = {
    ".bak": ("backup copies named *.bak",),
    ".css": ("CSS files", "style sheets", "CSS style sheets"),
    ".csv": ("CSV files", "CSV tables", "CSVs"),
    ".go": ("Go files", "Go sources"),
    ".html": ("HTML files", "HTML pages", "web pages"),
    ".ini": ("INI files",),
    ".ipynb": ("notebooks", "Jupyter notebooks"),
    ".js": ("JavaScript files", "JavaScript sources"),
    ".json": ("JSON files", "JSON documents", "json files"),
    ".jsonl": ("JSON Lines files",),
    ".lock": ("lock files",),
    ".log": ("log files", "logs"),
    ".md": ("Markdown files", "Markdown documents", "Markdown pages", "markdown files"),
    ".parquet": ("Parquet files",),
    ".pdf": ("PDFs", "PDF documents"),
    ".png": ("PNG images", "PNG pictures"),
    ".py": ("Python files", "Python sources", "python files", "Python source files"),
    ".pyi": ("stub files", "type stubs"),
    ".rs": ("Rust files", "Rust sources"),
    ".rst": ("reStructuredText files", "RST files"),
    ".sh": ("shell scripts", "shell files", "bash scripts"),
    ".sql": ("SQL files", "SQL scripts"),
    ".svg": ("SVG images", "SVG drawings"),
    ".toml": ("TOML files", "TOML documents", "toml files"),
    ".ts": ("TypeScript files", "TypeScript sources"),
    ".tsv": ("TSV files",),
    ".txt": ("text files", "plain text files", "txt files"),
    ".whl": ("wheels",),
    ".xml": ("XML files", "XML documents"),
    ".yaml": ("YAML files", "YAML documents", "yaml files"),
    ".zip": ("ZIP archives", "ZIP files"),
}
"""What files with an extension are called."""


def _place(rng: Random, stage: Stage) -> tuple[str, str]:
    """Return a folder as the program names it and as the prompt does, which may name none."""
    if rng.random() < _ANYWHERE:
        return ".", ""
    return python_folder(rng, stage.folders)


def file_kind(rng: Random, world: World) -> Binding | None:
    """A file name extension, or what files with it are called, and maybe a folder."""
    stage = world.stage(rng)
    suffix = world.suffix(rng)
    kind = rng.choice(_IN_WORDS.get(suffix, (f"{suffix} files",)))
    path, said = _place(rng, stage)
    return Binding(stage.scene, {"suffix": suffix, "dir": path}, {"kind": kind, "dir": said})


_WORDS = (
    "TODO", "FIXME", "import", "return", "dataclass", "self", "None", "Optional", "lambda", "yield", "assert",
    "async", "print", "version", "float", "raise", "json", "logging", "timeout", "__main__", "isinstance",
    "True", "total", "deprecated", "licence", "python", "weekly", "seconds", "default", "hidden", "price",
    "colour", "minutes", "empty", "author", "currency", "negative", "twice", "backup", "rounded", "alphabet",
)  # fmt: skip


def text(rng: Random, world: World) -> Binding | None:
    """A text to search for in a folder or everywhere, and few enough places where it stands."""
    stage = world.stage(rng)
    scene = stage.scene
    path, said = _place(rng, stage)
    prefix = "" if path == "." else path.rstrip("/") + "/"
    word, chance = rng.choice(_WORDS), rng.random()
    if chance < 0.3 and said and scene.symbols:  # a name without a folder would pass for its uses
        word = rng.choice(scene.symbols).name
    elif chance < 0.75:
        note, body = prefix + world.text_path(rng).rpartition("/")[2], world.text(rng)
        words = re.findall(r"[^\W\d_]{4,}", body)
        if not words or not scene.takes(note):
            return None
        word = rng.choice(words)
        scene = Scene(scene.workspace, {**scene.extra, note: f"{world.text(rng)}\n{body}\n"})
    lines = [
        line
        for file, body in scene.files.items()
        if file.startswith(prefix)
        for line in body.splitlines()
        if word in line
    ]
    if len(lines) > 12:
        return None
    return Binding(scene, {"text": word, "dir": path}, {"dir": said})


SHELL_BINDERS: Mapping[str, Binder] = {
    "run_command": run_command,
    "run_script": run_script,
    "check_format": format_target,
    "find_files": file_kind,
    "grep_text": text,
}
