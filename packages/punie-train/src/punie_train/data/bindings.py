"""What fills the slots of a phrasing: for each intent, a scene and the names to copy from it.

Every binder takes chance, the world and the intent's phrasing, and returns a `Binding`, or None where the
scene it drew does not suit. The names in the prompt are the ones the program uses, except where the prompt
leaves something out on purpose ("the project", a bare file name).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from punie_train.data.scenes import Stage, World
from punie_train.data.workspaces import Scene, Symbol, Workspace

__all__ = [
    "BINDERS",
    "LONGEST_FILE",
    "Binder",
    "Binding",
    "about_file",
    "can_say",
    "prefer_added",
    "python_folder",
    "quoted",
]

LONGEST_FILE = 1300
"""Characters of a file that an example shows; longer ones would fill a small model's window."""

MOST_FILES = 5
"""Python files of a folder that are checked one by one."""

_OF_CLASSES = re.compile(r"fields|attributes|consists? of|made of")
_QUOTED = re.compile(r"([\"'`])\{(\w+)\}\1")

_LONE = 0.34
"""Probability that the file to be read is a new one that no module imports: a script, or settings."""

_CODE = 0.2
"""Probability that the text of a new file is code."""

_ANYWHERE = 0.5
"""Probability that no folder is named where one could be: the whole project is meant."""


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


def _pick(rng: Random, items: list[str]) -> str | None:
    return rng.choice(items) if items else None


def _short(scene: Scene, suffixes: tuple[str, ...] = ("",)) -> list[str]:
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
        return _pick(rng, [path for path in stage.new if path in paths])
    if stage.added and stage.added.path in paths and rng.random() < 0.75:
        return stage.added.path
    return _pick(rng, paths)


def about_file(rng: Random, scene: Scene, path: str | None, **more: object) -> Binding | None:
    """Bind a path, and whatever else the programs need; None where there is no path."""
    if path is None:
        return None
    return Binding(scene, {"path": path, **more}, {"path": quoted(rng, path)})


def read_file(rng: Random, world: World) -> Binding | None:
    """Any short text file; now and then a script, where only the words say that it is not to be run."""
    stage = world.stage(rng)
    chance = rng.random()
    if chance > _LONE:
        return about_file(rng, stage.scene, prefer_added(rng, stage, _short(stage.scene)))
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
    path = prefer_added(rng, stage, _short(stage.scene))
    return about_file(rng, stage.scene, path, count=rng.choice(world.sources.snippets.head_counts))


def _bare_name(rng: Random, stage: Stage, suffix: str = "") -> tuple[str, str] | None:
    """A file below a folder whose name occurs once: its path and its bare name."""
    names = [path.rsplit("/", 1)[-1] for path in stage.scene.files]
    paths = [
        path
        for path in _short(stage.scene)
        if "/" in path and path.endswith(suffix) and names.count(path.rsplit("/", 1)[-1]) == 1
    ]
    path = prefer_added(rng, stage, paths)
    return (path, path.rsplit("/", 1)[-1]) if path else None


def named(suffix: str = "") -> Binder:
    """A file that lies in a folder but is called by its bare name."""

    def bind(rng: Random, world: World) -> Binding | None:
        stage = world.stage(rng)
        found = _bare_name(rng, stage, suffix)
        return Binding(stage.scene, {"path": found[0], "name": found[1]}, {}) if found else None

    return bind


_KINDS = {
    "class": ("class", "class", "model", "dataclass", "type"),
    "function": ("function", "function", "function", "helper function"),
}


def symbol(*, shown: bool) -> Binder:
    """A class or function; only ones in short files when it is shown."""

    def bind(rng: Random, world: World) -> Binding | None:
        stage = world.stage(rng)
        short = set(_short(stage.scene))
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
        return Binding(stage.scene, slots, {"symbol": quoted(rng, chosen.name), "kind": kind})

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
    path = _pick(rng, _short(stage.scene, (".md", ".txt")))
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
    short = set(_short(stage.scene, (".py",)))
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


def run_command(rng: Random, world: World) -> Binding | None:
    """A command line that is given word for word."""
    stage = world.stage(rng)
    path = _pick(rng, [each for each in stage.new if each.endswith(".py")])
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


BINDERS: Mapping[str, Binder] = {
    "read_file": read_file,
    "read_head": read_head,
    "count_lines": read_file,
    "show_symbol": symbol(shown=True),
    "recover_read": named(),
    "write_text": write_text,
    "append_line": append_line,
    "replace_text": replace_text,
    "create_function": create_function,
    "run_command": run_command,
    "run_script": run_script,
    "list_dir": folder,
    "check_format": format_target,
    "find_python": folder,
    "find_files": file_kind,
    "find_named": named(),
    "grep_text": text,
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
    "recover": named(".py"),
}
