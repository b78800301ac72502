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


PAIRS: list[Fact] = [
    [9, "Operator + is not supported"],
    [13, "Return type does not match"],
]
ONE, TWO = (str(text) for _, text in PAIRS)
RIGHT_PAIRS = {
    "number and message on lines of their own": f"9\n{ONE}\n13\n{TWO}",
    "message and number on lines of their own": f"{ONE}\n9\n{TWO}\n13",
    "a heading with a count": f"2 errors\n9\n{ONE}\n13\n{TWO}",
    "records parted by empty lines": f"2\n\n{ONE}\n9\n\n{TWO}\n13",
    "column on the message's line": f"line 9\ncolumn 5: {ONE}\nline 13\ncolumn 12: {TWO}",
    "line and column": f"line 9, column 5: {ONE}\nline 13, column 12: {TWO}",
    "line and column, one line": f"line 9, column 5: {ONE} line 13, column 12: {TWO}",
    "numbers after texts": f"{ONE} (line 9)\n{TWO} (line 13)",
    "numbers after texts, counted first": f"2: {ONE} (line 9), {TWO} (line 13)",
    "a sentence": f"2 errors: {ONE} on line 9 and {TWO} on line 13.",
    "a sentence, numbers first": f"On line 9, {ONE}, and on line 13, {TWO}; 2 in all.",
    "numbers in brackets first": f"(9) {ONE}, (13) {TWO}",
    "brackets before the number": f"{ONE} (a.py) (9), {TWO} (a.py) (13)",
    "counted, lines below": f"1. {ONE}\n   9\n2. {TWO}\n   13",
    "counted with colons, lines below": f"1: {ONE}\n   line 9\n2: {TWO}\n   line 13",
    "counted of all, places below": f"[1/2] {ONE}\n  a.py:9:5\n[2/2] {TWO}\n  a.py:13:12",
    "as the checker prints": (
        f"error[op]: {ONE}\n --> a.py:9:5\n  |\n9 | x + y\n\nerror[ret]: {TWO}\n --> a.py:13:12\n"
    ),
    "a table": f"| line | message |\n| ---: | --- |\n| 9 | {ONE} |\n| 13 | {TWO} |",
    "a table, numbers last": f"| {ONE} | 9 |\n| {TWO} | 13 |\n| total | 2 |",
    "json": json.dumps([{"line": n, "column": 5, "message": text} for n, text in PAIRS]),
    "json, message first": json.dumps([{"message": text, "line": n} for n, text in PAIRS]),
    "json, indented": json.dumps([{"line": n, "message": text} for n, text in PAIRS], indent=2),
    "a dataclass": repr(
        [f"E(file='a.py', line={n}, column=5, code='x', message={text!r})" for n, text in PAIRS]
    ),
    "a dataclass, message first": ", ".join(
        f"E(message={text!r}, line={n}, column=5)" for n, text in PAIRS
    ),
    "tuples": repr([(n, text) for n, text in PAIRS]),
    "tuples, message first": repr([(text, n) for n, text in PAIRS]),
    "a flat list": repr([9, ONE, 13, TWO]),
    "grouped by message": f"{ONE}:\n  - 9\n{TWO}:\n  - 13",
}
WRONG_PAIRS = {
    "shifted lines": f"1: {ONE}\n9: {TWO}\n13 lines checked",
    "shifted lines, labelled": f"line 1: {ONE}\nline 9: {TWO}\nline 13 is the last",
    "shifted down": f"9 lines checked\n{ONE}, line 13\n{TWO}, line 20",
    "shifted, numbers last": f"9\n{ONE}: 13\n{TWO}: 20",
    "shifted by one, counted": f"1. {ONE}\n9. {TWO}\n13. end",
    "shifted in one line": f"1: {ONE}, 9: {TWO}, 13 lines",
    "shifted in sentences": f"Line 1: {ONE}. Line 9: {TWO}. 13 lines were checked.",
    "shifted dataclasses": f"E(line=1, message={ONE!r}), E(line=9, message={TWO!r}), E(line=13)",
    "shifted json": json.dumps(
        [{"line": 1, "message": ONE}, {"line": 9, "message": TWO}, {"line": 13}], indent=1
    ),
    "shifted records": f"1\n{ONE}\n\n9\n{TWO}\n\n13 lines",
    "swapped in a sentence": f"{ONE} on line 13 and {TWO} on line 9.",
    "swapped in a sentence, numbers first": f"On line 13 {ONE}, and on line 9 {TWO}.",
    "swapped lines": f"13: {ONE}\n9: {TWO}",
    "reversed lists": f"lines: 13, 9\nmessages: {ONE}; {TWO}",
    "reversed numbers, zipped": f"13 {ONE}\n9 {TWO}\n9 and 13 are the lines",
    "numbers first, then texts": f"9\n13\n{ONE}\n{TWO}",
    "texts first, then numbers": f"{ONE}\n{TWO}\n9\n13",
}


@pytest.mark.parametrize("layout", RIGHT_PAIRS)
def test_right_pairs_are_found(layout: str) -> None:
    assert Output(RIGHT_PAIRS[layout]).says(PAIRS) == []


@pytest.mark.parametrize("layout", WRONG_PAIRS)
def test_wrong_pairs_are_not_the_facts(layout: str) -> None:
    assert Output(WRONG_PAIRS[layout]).says(PAIRS) != []


@pytest.mark.parametrize(
    "text",
    [f"8: {ONE}\n9 lines checked", f"{ONE} (line 8)\n9 lines", f"8: {ONE}, 9 lines were checked"],
)
def test_one_message_beside_another_line_is_not_the_fact(text: str) -> None:
    assert Output(text).says(PAIRS[:1]) == PAIRS[:1]


@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=5, unique=True),
    st.sampled_from([": ", " ", " | ", ", "]),
)
def test_a_list_that_is_shifted_by_one_is_wrong(lines: list[int], between: str) -> None:
    facts: list[Fact] = [
        [line, f"the name {chr(97 + place) * 3} is not known here"]
        for place, line in enumerate(lines)
    ]
    texts = [str(text) for _, text in facts]
    right = "\n".join(f"{line}{between}{text}" for line, text in zip(lines, texts, strict=True))
    moved = [0, *lines]
    wrong = "\n".join(f"{line}{between}{text}" for line, text in zip(moved, texts, strict=False))

    assert Output(right).says(facts) == []
    assert Output(f"{wrong}\n{lines[-1]} lines checked").says(facts) != []


def test_counts_belong_to_their_files() -> None:
    facts: list[Fact] = [["stubs.py", 4], ["src/typed_tools.py", 2]]

    assert Output("stubs.py: 4 errors\nsrc/typed_tools.py: 2 errors").says(facts) == []
    assert Output("typed_tools.py 2\nstubs.py 4").says(facts) == []
    assert Output("stubs.py: 2 errors\nsrc/typed_tools.py: 4 errors").says(facts) != []
    assert Output("stubs.py: 1 error\ntyped_tools.py: 4 errors\n2 files").says(facts) != []
    assert Output("stubs.py: 3 errors\n4 files").says(facts[:1]) != []


def test_a_file_may_be_named_with_each_line_before_its_count() -> None:
    shown = "stubs.py:3:5: invalid-type\nstubs.py:9:5: invalid-type\n2"

    assert Output(shown).says([["stubs.py", 2]]) == []
    assert Output("2 passed, 1 failed").says([[2, "passed"], [1, "failed"]]) == []
    assert Output("1 passed, 2 failed").says([[2, "passed"], [1, "failed"]]) != []
    assert Output("cli.py:12 main\n  score: 3").says([["main", 3]]) == []


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


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("3 errors", "Extra data: line 1 column 3 (char 2)"),
        ("{}", "facts: Field required"),
        (
            '{"facts": [["two"]], "nothing": 1}',
            "facts.0.0: Input should be a valid list; nothing: Extra inputs are not permitted",
        ),
    ],
)
def test_a_truth_program_must_print_facts(printed: str, why: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        read_truth(printed, "suite s, query q")
    assert str(caught.value) == (
        f"suite s, query q: the truth program printed no facts ({why}); "
        'it prints one JSON object, such as {"facts": [[["2 errors"]]]}.'
    )
