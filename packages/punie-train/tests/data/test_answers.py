"""Final answers, and what the requests for edits and functions are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from punie_sandbox import CallRecord, RunResult, Status
from punie_train.data.answers import answer_for
from punie_train.data.bindings import Binding
from punie_train.data.repair_bindings import REPAIR_BINDERS
from punie_train.data.scenes import World
from punie_train.data.sources import Module
from punie_train.data.tasks import draw
from punie_train.data.verdicts import Refused

SHELF = Module(
    stems=("shelf_width", "rack_width"),
    text='''
"""Shelves."""


def width(books: list[int]) -> int:
    return sum(books)


def label(name: str, number: int | None = None) -> str:
    return f"{name.upper()} {number}"
''',
    breaks=(
        ("(books: list[int]) -> int", "(books: list[int]) -> str"),
        ("number: int | None = None", "number: int = None"),
        ("name.upper()", "name.uper()"),
    ),
    tasks=(),
)


def checked(*counts: int) -> list[RunResult]:
    """One run that type checked files with so many errors."""
    calls = tuple(
        CallRecord(
            number,
            "typecheck",
            {},
            "read",
            "allow",
            {"status": "findings" if count else "clean", "error_count": count, "errors": []},
        )
        for number, count in enumerate(counts, start=1)
    )
    return [RunResult(Status.OK, "", calls=calls)]


@pytest.mark.parametrize(
    ("intent", "answer"),
    [
        ("list_errors", "That is every type error in src/a.py, with its line."),
        ("messages", "That is the message of every type error in src/a.py."),
        ("positions", "That is where the type errors in src/a.py are."),
        ("flagged_lines", "That is the code in src/a.py that has type errors."),
    ],
)
def test_the_answer_to_a_listing_repeats_no_count(intent: str, answer: str) -> None:
    for count in (1, 3):
        assert answer_for(intent, {"path": "src/a.py"}, checked(count)) == answer
    assert answer_for(intent, {"path": "."}, checked(0)) == "No type errors in the project."


def test_the_answer_to_a_check_of_each_file_adds_nothing_up() -> None:
    slots = {"dir": "modules"}
    assert answer_for("each_file", slots, checked(0, 2)) == (
        "That is the number of type errors in each Python file of modules."
    )
    assert answer_for("each_file", slots, checked(0, 0)) == (
        "No type errors in the Python files of modules."
    )


def bound(intent: str, world: World, seeds: int) -> list[Binding]:
    """What many draws of an intent are about."""
    drawn = (REPAIR_BINDERS[intent](Random(seed), world) for seed in range(seeds))
    return [each for each in drawn if each is not None]


def test_often_a_return_annotation_and_something_else_are_to_be_fixed(world: World) -> None:
    shelf = World(replace(world.sources, modules=(SHELF,)), world.workspaces)
    found = [wrong(each.slots) for each in bound("fix", shelf, 60)]
    both = [each for each in found if len(each) > 1]
    assert len(both) > len(found) / 4
    assert all(sum("->" in piece for piece in each) == 1 for each in both)


def test_each_finding_is_looked_at_and_repaired_before_the_next_one(world: World) -> None:
    shelf = World(replace(world.sources, modules=(SHELF,)), world.workspaces)
    tasks = draw(shelf, "ty_fix", (12, 0, 0), seed=1, accept=lambda task: task.intent == "fix")
    counts = set()
    for exchange in (task.exchanges[0] for task in tasks):
        lines = wrong(exchange.slots)
        looks, edits = exchange.steps[::2], exchange.steps[1::2]
        assert len(looks) == len(edits) == len(lines)
        assert set(looks) == {looks[0]}
        assert [[line.strip() in edit for line in lines] for edit in edits] == [
            [number == place for place in range(len(lines))] for number in range(len(lines))
        ]
        counts.add(len(lines))
    assert counts == {1, 2}


def wrong(slots: Mapping[str, Any]) -> list[str]:
    """The pieces that must be replaced."""
    return list(slots["wrong"])


def test_a_class_is_imported_without_src_and_with_the_packages_below_it(world: World) -> None:
    places = set()
    for binding in bound("coding_pasted", world, 200):
        path, module = str(binding.slots["path"]), str(binding.slots["module"])
        parts = path.removesuffix(".py").split("/")
        assert module.split(".") == (parts[1:] if parts[0] == "src" else parts)
        assert f"class {binding.slots['symbol']}" in binding.scene.files[path]
        places.add((parts[0] == "src", len(parts)))
    assert {(True, 3), (True, 4), (False, 1), (False, 2)} <= places


def test_what_a_function_gives_is_also_said_with_the_class_in_it(world: World) -> None:
    for binding in bound("coding", world, 60):
        about, symbol = binding.said["about"], str(binding.slots["symbol"])
        assert about.count(symbol) == 1
        assert about.startswith("whether") == str(binding.slots["gives"]).startswith("whether")
    said = {binding.said["about"] for binding in bound("coding", world, 200)}
    assert {"the number of songs of a Playlist", "whether an Invoice is still open"} <= said


NOT_FOUND = CallRecord(1, "typecheck", {}, "read", "allow", {"status": "tool_error"})
NO_FILE = RunResult(Status.OK, "", calls=(NOT_FOUND,))


@pytest.mark.parametrize(
    ("intent", "answer"),
    [
        ("recover", "src/a.py has 2 type errors."),
        ("recover_clean", "src/a.py does not pass: 2 type errors."),
        ("recover_count", "src/a.py has 2 type errors."),
        ("recover_list", "That is every type error in src/a.py, with its line."),
        ("recover_messages", "That is the message of every type error in src/a.py."),
    ],
)
def test_what_was_asked_of_a_missing_file_is_answered_of_the_one_that_was_found(
    intent: str, answer: str
) -> None:
    slots = {"path": "src/a.py", "name": "a.py"}
    assert answer_for(intent, slots, [NO_FILE, *checked(2)]) == answer
    with pytest.raises(Refused, match="nothing to recover from"):
        answer_for(intent, slots, [*checked(2), *checked(2)])
