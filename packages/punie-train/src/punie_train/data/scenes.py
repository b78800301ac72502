"""Scenes: workspaces with one more module, whose folder, file and class names vary.

A small model learns to copy arguments only from variety, so a module from the sources goes by many names
and lies in many folders. Each wrong text in it is known, with the right one.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from random import Random

from punie_train.data.findings import Finding
from punie_train.data.sources import ClassTask, Module, Sources
from punie_train.data.workspaces import Scene, Workspace

__all__ = ["Added", "Faulty", "Stage", "World", "shadows"]

_SCRIPTS = (
    "hello", "demo", "main", "check_env", "show", "task", "seed", "job", "tick", "nightly", "greet", "warmup",
    "purge", "rollup", "ping", "refresh", "make_report", "sweep", "publish", "probe_disk", "countdown",
)  # fmt: skip
_DATA = (
    "settings.toml", "config.yaml", "defaults.ini", "limits.json", "options.cfg", "HOWTO.md", "readme.txt",
    "hosts.txt", "deploy.toml", "rates.csv", "logging.ini", "features.yaml", "GUIDE.md", "menu.json",
)  # fmt: skip
_SUFFIXES = (".toml", ".md", ".csv", ".txt", ".py", ".json", ".cfg", ".yaml", ".ini", ".sh")
_OTHER_TYPE = {"str": "int", "int": "str", "bool": "str", "float": "str"}


@dataclass(frozen=True)
class Added:
    """The module that was added to a scene.

    Attributes:
        path: where it lies.
        right: its source without a fault.
        tasks: functions somebody could want for its classes.
    """

    path: str
    right: str
    tasks: tuple[ClassTask, ...]


@dataclass(frozen=True)
class Stage:
    """A scene, what was added to it, and the right text of every faulty file.

    Attributes:
        new: files of which one must be what the example is about; empty where any file may be.
    """

    scene: Scene
    added: Added | None
    right: Mapping[str, str]
    new: tuple[str, ...] = ()

    @property
    def folders(self) -> list[str]:
        """Folders with Python files that an example may be about."""
        parents = {
            parent.as_posix()
            for path in self.new
            if path.endswith(".py")
            for parent in PurePosixPath(path).parents
        }
        return sorted(parents - {"."}) or self.scene.folders


@dataclass(frozen=True)
class Faulty:
    """A scene with one more module that has one fault.

    Attributes:
        path: the module.
        right: its text without the fault.
        finding: what the type checker says.
    """

    scene: Scene
    path: str
    right: str
    finding: Finding


@dataclass(frozen=True)
class World:
    """All that scenes are made of.

    Attributes:
        findings: what the type checker says about the faults of modules, by first stem and number.
    """

    sources: Sources
    workspaces: Mapping[str, Workspace]
    findings: Mapping[tuple[str, int], Finding] = field(default_factory=dict)

    def stage(
        self,
        rng: Random,
        *,
        added: float = 0.65,
        faults: int | None = None,
        importable: bool = False,
    ) -> Stage:
        """Set a scene.

        Args:
            rng: decides everything.
            added: probability of one more module.
            faults: type errors in that module; None lets chance decide (0 to 2).
            importable: only folders from which the module can be imported by its path.
        """
        names = sorted(self.workspaces)
        if importable:
            names = [name for name in names if not _has_own_root(self.workspaces[name])]
        workspace = self.workspaces[rng.choice(names)]
        right = _right_files(workspace)
        if rng.random() >= added:
            return Stage(Scene(workspace, {}), None, right)
        module = rng.choice(self.sources.modules)
        path = self._module_path(rng, module.stems, workspace, importable=importable)
        text, wrong, tasks = self._variant(rng, module, faults)
        scene = Scene(workspace, {path: wrong})
        faulty = {path: text} if wrong != text else {}
        return Stage(scene, Added(path, text, tasks), {**right, **faulty})

    def faulty(self, rng: Random) -> Faulty | None:
        """Set a scene with one fault whose finding is known; None where the one that was drawn has none."""
        module = rng.choice(self.sources.modules)
        number = rng.randrange(max(len(module.breaks), 1))
        finding = self.findings.get((module.stems[0], number))
        if finding is None:
            return None
        workspace = self.workspaces[rng.choice(sorted(self.workspaces))]
        path = self._module_path(rng, module.stems, workspace, importable=False)
        renames = self._renames(rng, module.source)
        texts = (module.source, *module.breaks[number])
        right, piece, bad = (_renamed(each, renames) for each in texts)
        if right.count(piece) != 1:
            return None
        finding = replace(finding, message=_renamed(finding.message, renames))
        return Faulty(Scene(workspace, {path: right.replace(piece, bad)}), path, right, finding)

    def text_path(self, rng: Random) -> str:
        """Return a path for a new text file."""
        return rng.choice(self.sources.snippets.text_files)

    def text(self, rng: Random) -> str:
        """Return a line of text that somebody wants to have written."""
        return rng.choice(self.sources.snippets.texts)

    def word(self, rng: Random) -> str:
        """Return a word that stands in a text."""
        words = [word for word in self.text(rng).split() if word.isalpha()]
        return rng.choice(words or self.sources.names.stems)

    def code(self, rng: Random) -> str:
        """Return a line of Python."""
        one, two = self.word(rng).lower(), self.word(rng)
        if not one.isidentifier() or keyword.iskeyword(one):
            one = "value"
        number, few = rng.randint(10, 3000), rng.randint(2, 9)
        return rng.choice(
            (
                f"print('{one}')",
                f"print('{two} {one}')",
                f'print("{one}")',
                f"print({number})",
                f"print({number} * {few})",
                f"print('{one}' * {few})",
                f"print(len('{two}'))",
                f"print(sum(range({few})))",
                f"{one.upper()} = {number}",
                f"{one.upper()} = '{two}'",
                f'{one} = "{two}"',
                f"{one} = [{few}, {number}]",
                f"{one} = {{'{two}': {few}}}",
                f"assert {few} < {number}",
                f"raise SystemExit({few})",
                f"# {two} {one}",
            )
        )

    def function_path(self, rng: Random) -> str:
        """Return a path for a new module with a function."""
        names = self.sources.names
        path = rng.choice(self.sources.snippets.function_files)
        if rng.random() < 0.6:
            folders = f"{rng.choice(names.parents)}/{rng.choice(names.children)}"
            path = f"{folders}/{rng.choice(names.stems)}.py"
        return path

    def script_path(self, rng: Random) -> str:
        """Return a path for a new script."""
        parent = rng.choice(self.sources.names.parents)
        folder = rng.choice(("", "", "scripts/", "tools/", "jobs/", f"{parent}/"))
        return f"{folder}{rng.choice(_SCRIPTS)}.py"

    def data_path(self, rng: Random) -> str:
        """Return a path for a new file of settings, notes or data."""
        parent = rng.choice(self.sources.names.parents)
        folder = rng.choice(("", "", "config/", "docs/", f"{parent}/"))
        return f"{folder}{rng.choice(_DATA)}"

    def suffix(self, rng: Random) -> str:
        """Return a file name extension."""
        return rng.choice(_SUFFIXES)

    def new_name(self, rng: Random, name: str, kind: str) -> str:
        """Return another name for a class or function."""
        if kind == "class":
            return name + rng.choice(self.sources.names.class_suffixes)
        return f"{rng.choice(('get', 'compute', 'do', 'make', 'find', 'new'))}_{name}"

    def _module_path(
        self,
        rng: Random,
        stems: tuple[str, ...],
        workspace: Workspace,
        *,
        importable: bool,  # noqa: ARG002 - all these names are
    ) -> str:
        names = self.sources.names
        while True:
            stem = rng.choice(stems if rng.random() < 0.6 else names.stems)
            depth = rng.choice((0, 0, 1, 1, 1, 2, 2, 3))
            folders = [
                rng.choice(names.parents),
                rng.choice(names.children),
                rng.choice(names.children),
            ]
            if depth and rng.random() < 0.25:
                folders[0] = "src"
            path = "/".join([*folders[:depth], f"{stem}.py"])
            if path not in workspace.files and not shadows(path, workspace):
                return path

    def _variant(
        self, rng: Random, module: Module, faults: int | None
    ) -> tuple[str, str, tuple[ClassTask, ...]]:
        """Return the right text, the wrong text and the tasks, under new class names."""
        renames = self._renames(rng, module.source)
        text = _renamed(module.source, renames)
        tasks = tuple(
            ClassTask(
                takes=_renamed(task.takes, renames),
                gives=task.gives,
                name=task.name,
                code=_renamed(task.code, renames),
            )
            for task in module.tasks
        )
        count = rng.choice((0, 1, 1, 2)) if faults is None else faults
        if count and rng.random() < 0.3 and (annotated := _wrong_annotation(rng, text)):
            return (*annotated, tasks)
        wrong = text
        for pair in rng.sample(module.breaks, min(count, len(module.breaks))):
            right, bad = (_renamed(each, renames) for each in pair)
            if wrong.count(right) == 1:
                wrong = wrong.replace(right, bad)
        return text, wrong, tasks

    def _renames(self, rng: Random, text: str) -> dict[str, str]:
        names = self.sources.names
        renames = {}
        for name in re.findall(r"^class (\w+)", text, flags=re.MULTILINE):
            chance = rng.random()
            if chance < 0.35:
                renames[name] = rng.choice(names.class_prefixes) + name
            elif chance < 0.7:
                renames[name] = name + rng.choice(names.class_suffixes)
        return renames


def _renamed(source: str, renames: Mapping[str, str]) -> str:
    for old, new in renames.items():
        source = re.sub(rf"\b{old}\b", new, source)
    return source


def _has_own_root(workspace: Workspace) -> bool:
    return any(path.split("/")[0] in {"lib", "backend"} for path in workspace.files)


def shadows(path: str, workspace: Workspace) -> bool:
    """Whether the module would hide one that the workspace imports, or the standard library's."""
    stem = path.rsplit("/", 1)[-1]
    top = path.removeprefix("src/").split("/")[0].removesuffix(".py")
    return top in sys.stdlib_module_names or any(
        file.rsplit("/", 1)[-1] == stem for file in workspace.files
    )


def _right_files(workspace: Workspace) -> dict[str, str]:
    right: dict[str, str] = {}
    for edit in workspace.type_errors:
        text = right.get(edit.file, workspace.files[edit.file])
        right[edit.file] = text.replace(edit.wrong, edit.right)
    return right


def _wrong_annotation(rng: Random, text: str) -> tuple[str, str] | None:
    """Return the right and the wrong text of a module in which a return annotation is what is wrong.

    A second function uses the value as what it really is, so that the annotation must give way.
    """
    functions = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
        and node.returns is not None
        and ast.unparse(node.returns) in {"str", "int"}
        and not node.args.defaults
        and node.args.args
    ]
    if not functions:
        return None
    node = rng.choice(functions)
    assert node.returns is not None
    kind = ast.unparse(node.returns)
    arguments = ", ".join(argument.arg for argument in node.args.args)
    use = f"{node.name}({arguments}).upper()" if kind == "str" else f"{node.name}({arguments}) * 2"
    caller = "loud" if kind == "str" else "twice_the"
    right = f"{text}\n\ndef {caller}_{node.name}({ast.unparse(node.args)}) -> {kind}:\n    return {use}\n"
    head = f"def {node.name}({ast.unparse(node.args)}) -> "
    if right.count(head) != 1:
        return None
    return right, right.replace(f"{head}{kind}:", f"{head}{_OTHER_TYPE[kind]}:")
