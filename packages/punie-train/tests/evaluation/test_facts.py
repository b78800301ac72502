"""Facts are found in any layout, and only when what belongs together stands together."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.errors import EvaluationError
from punie_train.evaluation.facts import Fact, Output, read_truth, says_everything, words

ERRORS: list[Fact] = [
    [14, "No argument provided for required parameter `returns`"],
    [20, "Object of type `int` is not assignable to `str`"],
    [24, "Expected `str`, found `Literal[200]`"],
]
LAYOUTS = {
    "lines": "\n".join(f"{line}: {text}" for line, text in ERRORS),
    "one line": "; ".join(f"stubs.py:{line}:5 {text}" for line, text in ERRORS),
    "indented records": "\n".join(f"- line {line}\n    {text}" for line, text in ERRORS),
    "json": json.dumps([{"line": line, "message": text} for line, text in ERRORS], indent=2),
    "a dictionary": "{" + ", ".join(f"{line}: {text!r}" for line, text in ERRORS) + "}",
    "reversed pairs": "\n".join(f"{text} (line {line})" for line, text in reversed(ERRORS)),
    "capital letters": "\n".join(f"L{line} {str(text).upper()}" for line, text in ERRORS),
    "cut to 40 characters": "\n".join(f"{line} {str(text)[:40]}" for line, text in ERRORS),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_facts_are_found_in_every_layout(layout: str) -> None:
    assert Output(LAYOUTS[layout]).says(ERRORS) == []


@given(st.permutations([14, 20, 24]))
def test_messages_beside_other_lines_are_not_the_facts(lines: list[int]) -> None:
    text = "\n".join(f"{line}: {message}" for line, (_, message) in zip(lines, ERRORS, strict=True))

    assert (Output(text).says(ERRORS) == []) == (lines == [14, 20, 24])


def test_counts_belong_to_their_files() -> None:
    facts: list[Fact] = [["stubs.py", 4], ["src/typed_tools.py", 2]]

    assert Output("stubs.py: 4 errors\nsrc/typed_tools.py: 2 errors").says(facts) == []
    assert Output("typed_tools.py 2\nstubs.py 4").says(facts) == []
    assert Output("stubs.py: 2 errors\nsrc/typed_tools.py: 4 errors").says(facts) != []


def test_equal_facts_must_be_said_as_often_as_they_hold() -> None:
    facts: list[Fact] = [["src/a/__init__.py"], ["src/b/__init__.py"]]

    assert Output("src/a:\n__init__.py\nsrc/b:\n__init__.py").says(facts) == []
    assert Output("src/a/__init__.py").says(facts) == [["src/b/__init__.py"]]


def test_a_longer_text_is_no_cut_of_a_text_with_the_same_beginning() -> None:
    facts: list[Fact] = [[8, "it was expected that the type is `int`, found `str`"]]

    assert Output("8: it was expected that the type is `int`, found `None`").says(facts) == facts
    assert Output("8: it was expected that the type is `int`, fou").says(facts) == []


def test_any_of_several_atoms_will_do() -> None:
    fact: Fact = [["stubs.py", "stubs"], [0, "no errors", "clean"]]

    assert Output("stubs: no errors").says([fact]) == []
    assert Output("stubs.py is clean.").says([fact]) == []
    assert Output("stubs.py: 3").says([fact]) == [fact]


@given(st.integers(0, 10**6))
def test_a_number_is_found_alone_and_not_inside_another(number: int) -> None:
    assert Output(f"there are {number} errors.").says([[number]]) == []
    assert Output(f"version 1{number}7").says([[number]]) == [[number]]


@given(st.text())
def test_any_text_can_be_split(text: str) -> None:
    assert all(word and word == word.casefold() for word in words(text))
    Output(text).says(ERRORS)


def test_listing_numbers_is_guessing() -> None:
    call = {"errors": [{"line": 14}, {"line": 120}]}

    assert says_everything(" ".join(map(str, range(200))), [call])
    assert not says_everything("14 120 2", [call])


def test_a_truth_program_must_print_facts() -> None:
    with pytest.raises(
        EvaluationError, match="suite s, query q: the truth program printed no facts"
    ):
        read_truth("3 errors", "suite s, query q")
