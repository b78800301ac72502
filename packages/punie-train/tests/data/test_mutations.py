"""Faults that are made by rule: one mistake in one line, and mended by who sees that line."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.findings import IN_SIGHT, find_faults, with_mistakes
from punie_train.data.mutations import mutated
from punie_train.data.scenes import World
from punie_train.data.sources import Module

MOST = 12


def module(text: str, *, breaks: tuple[tuple[str, str], ...] = ()) -> Module:
    return Module(stems=("shelf",), text=text, breaks=breaks, tasks=())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("def find(name: str) -> str | None: ...", "def find(name: str) -> str: ..."),
        ("def find() -> dict[str, int]: ...", "def find() -> list[str, int]: ..."),
        ("def find(name: str | None = None): ...", "def find(name: str = None): ..."),
        ("total = sum(len(each) for each in books)", "total = sum(each for each in books)"),
        ("FIRST = Book(7)", 'FIRST = Book("7")'),
        ('FIRST = Book("7")', "FIRST = Book(7)"),
        ("FIRST = Book([7, 8])", "FIRST = Book((7, 8))"),
        ("FIRST = Book({'pages': 7})", "FIRST = Book({'pages': \"7\"})"),
        ("print(name.strip())", "print(name.trim())"),
    ],
)
def test_a_mistake_is_one_that_people_make(text: str, wrong: str) -> None:
    assert wrong in [made for _, made in mutated(module(text), MOST)]


def test_what_stands_around_a_mistake_is_left_as_it_is() -> None:
    text = "def area(größe: float) -> float:\n    return math.pi*größe**2  # rough"
    made = {wrong for _, wrong in mutated(module(text), MOST)}
    assert made & {"return [math.pi*größe**2]  # rough", "return str(math.pi*größe**2)  # rough"}


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        "print(total)\nprint(total)\n",
        "SIZES: dict[str, tuple[int, int]] = load()",
        "def find(name: str): ...\n\ndef find(name: str): ...\n",
        "value = call(\n    [one,\n     two]\n)",
    ],
)
def test_lines_that_cannot_be_told_apart_or_hold_nothing_are_left(text: str) -> None:
    assert mutated(module(text), MOST) == []


def test_a_mistake_that_was_written_by_hand_is_not_made_again() -> None:
    pair = ("FIRST = Book(7)", 'FIRST = Book("7")')
    assert pair in mutated(module("FIRST = Book(7)"), MOST)
    assert pair not in mutated(module("FIRST = Book(7)", breaks=(pair,)), MOST)


def test_the_checker_sees_each_and_the_mistake_is_in_sight(world: World) -> None:
    before = world.sources.modules
    after = with_mistakes(before, MOST)
    assert [each.breaks[: len(one.breaks)] for one, each in zip(before, after, strict=True)] == [
        each.breaks for each in before
    ]
    found = find_faults(after)
    made = [
        (each, number)
        for one, each in zip(before, after, strict=True)
        for number in range(len(one.breaks), len(each.breaks))
    ]
    assert len(made) > len(before)
    for each, number in made:
        line = each.source[: each.source.index(each.breaks[number][0])].count("\n") + 1
        assert 0 <= found[each.stems[0], number].line - line < IN_SIGHT


def test_modules_are_broken_in_the_same_way_each_time(world: World) -> None:
    assert with_mistakes(world.sources.modules, MOST) == with_mistakes(world.sources.modules, MOST)
    assert with_mistakes(world.sources.modules, 0) == list(world.sources.modules)


@given(st.data())
def test_each_changes_one_line_of_code_that_python_reads(world: World, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(world.sources.modules))
    pairs = mutated(chosen, MOST)
    assert len(pairs) <= MOST
    for right, wrong in pairs:
        assert chosen.source.count(right) == 1
        assert "\n" not in right + wrong
        ast.parse(chosen.source.replace(right, wrong))
