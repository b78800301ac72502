"""The hand-written sources, read strictly: phrasings, programs, questions, modules and snippets.

Covered: shape and completeness (every intent has phrasings, every slot is known, nothing unknown is read).
Not covered: what the words mean; that a program runs is shown by running it (`punie_train.data.play`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from punie_train.data.splits import plain
from punie_train.errors import DataError, faults

__all__ = [
    "Function",
    "Module",
    "Question",
    "Slot",
    "Sources",
    "TaskTemplate",
    "fill",
    "literal",
    "read_sources",
]

M = TypeVar("M", bound=BaseModel)

_SLOT = re.compile(r"\{\{(\w+)\}\}|<<(\w+)>>")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Slot(_Strict):
    """What may fill a declared slot; exactly one key.

    Attributes:
        files: a glob; any short text file of the workspace that matches.
        values: any of these.
    """

    files: str = ""
    values: tuple[str | int | float, ...] = ()

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if bool(self.files) == bool(self.values):
            raise ValueError("give exactly one of files, values")
        return self


class TaskTemplate(_Strict):
    """What is done for an intent: its programs in order.

    Attributes:
        category: the count of the phase it belongs to.
        weight: its share of the category.
        steps: programs with slots.
        tools: tools that must be in the contract for it; those it names are found without this.
        each: a slot that holds several values; the steps are done for one after the other.
        said_as: an intent whose phrasings it is asked with; its own where nothing is said.
        slots: what fills the slots, for an intent that has no binder in `punie_train.data.bindings`.
    """

    category: str
    weight: int = Field(gt=0)
    steps: tuple[str, ...] = Field(min_length=1)
    each: str = ""
    said_as: str = ""
    tools: tuple[str, ...] = ()
    slots: Mapping[str, Slot] = {}


class Function(_Strict):
    """A function somebody asks for in words.

    Attributes:
        does: ends the sentence "a function that …".
        code: the function.
    """

    does: str
    code: str


class ClassTask(_Strict):
    """A function somebody could want for a class of a module."""

    takes: str
    gives: str
    name: str
    code: str


class Module(_Strict):
    """A small module that is right as it stands.

    Attributes:
        stems: file names it goes by.
        text: its source.
        breaks: pairs of right and wrong text; each makes one type error.
        tasks: functions for its classes.
    """

    stems: tuple[str, ...] = Field(min_length=1)
    text: str
    breaks: tuple[tuple[str, str], ...]
    tasks: tuple[ClassTask, ...]

    @property
    def source(self) -> str:
        """The text as a file has it: no blank lines around, one line end."""
        return self.text.strip("\n") + "\n"


_Said = Annotated[str, Field(pattern=r"^\S(.*\S)?$")]


class Question(_Strict):
    """A question that is answered without a tool.

    Attributes:
        kind: which phrasings it is asked with.
        slots: what fills them.
        answer: the answer, one to three sentences.
        asked: more ways of asking it, word for word, often without its name.
    """

    kind: str
    slots: Mapping[str, str]
    answer: str
    asked: tuple[_Said, ...] = ()


class _Phrasings(_Strict):
    phrasings: tuple[str, ...] = Field(min_length=1)


class Snippets(_Strict):
    """Texts, names and commands that prompts are filled with."""

    licence: str
    texts: tuple[str, ...]
    text_files: tuple[str, ...]
    function_files: tuple[str, ...]
    head_counts: tuple[int, ...]
    commands: tuple[str, ...]
    function: tuple[Function, ...]


class LintFault(_Strict):
    """Text with one lint finding, and the text without it.

    Attributes:
        place: "imports" (after the docstring) or "end" (as one more definition).
    """

    wrong: str
    right: str
    place: Literal["imports", "end"]


class TestFile(_Strict):
    """A test file that passes; each of `breaks` makes one test fail."""

    stem: str
    text: str
    breaks: tuple[tuple[str, str], ...]


class Faults(_Strict):
    """Lint faults and test files."""

    licence: str
    lint: tuple[LintFault, ...]
    test: tuple[TestFile, ...]


class Dialogue(_Strict):
    """What is said in turn.

    Attributes:
        about: the intent whose scene and names are used.
        weight: its share of the dialogues.
        intents: the intent of each message.
    """

    about: str
    weight: int = Field(gt=0)
    intents: tuple[str, ...] = Field(min_length=2)


_Words = Annotated[tuple[str, ...], Field(min_length=1)]


class WideNames(_Strict):
    """Words that names for drills are made of; `extensions` are of text files, `suffixes` are asked for."""

    folders: _Words
    stems: _Words
    modifiers: _Words
    nouns: _Words
    verbs: _Words
    extensions: _Words
    suffixes: _Words


class Names(_Strict):
    """Names for folders, files and classes."""

    licence: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    stems: tuple[str, ...]
    class_prefixes: tuple[str, ...]
    class_suffixes: tuple[str, ...]
    wide: WideNames | None = None


NO_SNIPPETS = Snippets(
    licence="", texts=(), text_files=(), function_files=(), head_counts=(), commands=(), function=()
)
NO_NAMES = Names(
    licence="", parents=(), children=(), stems=(), class_prefixes=(), class_suffixes=()
)
NO_FAULTS = Faults(licence="", lint=(), test=())


@dataclass(frozen=True)
class Sources:
    """Everything below `data/sources`; what only built-in intents use may be missing."""

    tasks: Mapping[str, TaskTemplate]
    phrasings: Mapping[str, tuple[str, ...]]
    questions: tuple[Question, ...]
    licence: str
    modules: tuple[Module, ...] = ()
    snippets: Snippets = NO_SNIPPETS
    names: Names = NO_NAMES
    faults: Faults = NO_FAULTS
    dialogues: Mapping[str, Dialogue] = field(default_factory=dict)

    def phrasings_of(self, intent: str) -> tuple[str, ...]:
        """Return what an intent is asked with, which may be another's words."""
        return self.phrasings[self.tasks[intent].said_as or intent]


def read_sources(folder: Path) -> Sources:
    """Read and check the sources.

    Raises:
        DataError: a file is missing, is not TOML, or breaks a rule; the message names it.
    """
    phrasings: dict[str, tuple[str, ...]] = {}
    for file in sorted((folder / "phrasings").glob("*.toml")):
        for intent, table in _tables(file).items():
            if intent in phrasings:
                raise DataError(f"{file}: [{intent}] has phrasings in another file already.")
            phrasings[intent] = _model(_Phrasings, table, f"{file}: [{intent}]").phrasings
    tasks = {
        intent: _model(TaskTemplate, table, f"{folder / 'tasks.toml'}: [{intent}]")
        for intent, table in _tables(folder / "tasks.toml").items()
    }
    if missing := sorted(
        {task.said_as or intent for intent, task in tasks.items()} - set(phrasings)
    ):
        raise DataError(f"{folder / 'phrasings'}: no phrasings for {', '.join(missing)}.")
    if all(task.slots for task in tasks.values()):
        return Sources(
            tasks=tasks,
            phrasings=phrasings,
            questions=tuple(_questions(folder / "questions")),
            licence=_toml(folder / "tasks.toml")["licence"],
        )
    snippets = _toml(folder / "snippets.toml")
    modules = folder / "modules.toml"
    return Sources(
        tasks=tasks,
        phrasings=phrasings,
        questions=tuple(_questions(folder / "questions")),
        modules=tuple(
            _model(Module, table, f"{modules}: module {number}")
            for number, table in enumerate(_toml(modules).get("module", []), start=1)
        ),
        snippets=_model(Snippets, snippets, str(folder / "snippets.toml")),
        names=_model(Names, _toml(folder / "names.toml"), str(folder / "names.toml")),
        faults=_model(Faults, _toml(folder / "faults.toml"), str(folder / "faults.toml")),
        dialogues=_dialogues(folder / "dialogues.toml", tasks),
        licence=snippets["licence"],
    )


def _dialogues(file: Path, tasks: Mapping[str, TaskTemplate]) -> dict[str, Dialogue]:
    dialogues = {
        name: _model(Dialogue, table, f"{file}: [{name}]") for name, table in _tables(file).items()
    }
    for name, dialogue in dialogues.items():
        if unknown := sorted(set(dialogue.intents) - set(tasks)):
            raise DataError(f"{file}: [{name}] names the unknown intent {unknown[0]!r}.")
    return dialogues


def _questions(folder: Path) -> list[Question]:
    found = []
    asked: dict[str, str] = {}
    for file in sorted(folder.glob("*.toml")):
        for kind, rows in _tables(file).items():
            for row in rows:
                own = {key: row[key] for key in ("answer", "asked") if key in row}
                slots = {key: value for key, value in row.items() if key not in own}
                where = f"{file}: {kind} {slots}"
                question = _model(Question, {"kind": kind, "slots": slots, **own}, where)
                for prompt in question.asked:
                    other = asked.setdefault(plain(prompt), where)
                    if other != where or question.asked.count(prompt) > 1:
                        raise DataError(f"{where}: {prompt!r} is asked in {other} already.")
                found.append(question)
    return found


def _toml(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{file}: this source is missing; restore it from the repository."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not valid TOML: {error}.") from None
    if not isinstance(table.get("licence"), str):
        raise DataError(
            f"{file}: `licence` is missing; say under which licence the text may be used."
        )
    return table


def _tables(file: Path) -> dict[str, Any]:
    return {key: value for key, value in _toml(file).items() if key != "licence"}


def _model(kind: type[M], table: Any, where: str) -> M:
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        raise DataError(f"{where}: {faults(error)}.") from None


def literal(value: object) -> str:
    """Return a value as Python source, strings in double quotes where that needs no escape."""
    if isinstance(value, str) and '"' not in value:
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def fill(template: str, slots: Mapping[str, object]) -> str:
    """Fill a program: `{{slot}}` becomes a Python literal, `<<slot>>` bare text.

    Raises:
        DataError: the program asks for a slot that the task does not have, or that is a list.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in slots:
            raise DataError(
                f"the program {template.strip()[:60]!r} asks for the unknown slot {name!r}."
            )
        if match[1]:
            return literal(slots[name])
        if isinstance(slots[name], list):
            raise DataError(
                f"the program {template.strip()[:60]!r} has one place for {name!r}, of which there are "
                f'several: do its steps with `each = "{name}"`.'
            )
        return str(slots[name])

    return _SLOT.sub(value, template).strip("\n")
