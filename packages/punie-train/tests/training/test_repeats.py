"""Answers that many rows repeat are learned whole a few times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punie_train.training.repeats import BEYOND, shorten_repeats
from punie_train.training.rows import Row

LONG = tuple(range(100, 140))


def asked(prompt: int, answer: tuple[int, ...]) -> Row:
    """A row with a prompt of three tokens."""
    return Row(f"row-{prompt}", (1, prompt, 2, *answer), tuple(range(3, 3 + len(answer))))


def test_the_first_rows_of_an_answer_stay_whole_and_the_others_end_where_it_is_told_apart() -> None:
    other = (*LONG[:5], 7, *LONG[6:])
    rows = [asked(10, LONG), asked(11, other), asked(12, LONG), asked(13, LONG)]
    assert shorten_repeats(rows, whole=2) == [
        *rows[:3],
        asked(13, LONG[: 6 + BEYOND]),
    ]


def test_an_answer_that_begins_another_one_keeps_its_end() -> None:
    rows = [asked(10, LONG[:4]), asked(11, LONG[:4]), asked(12, LONG), asked(13, LONG)]
    assert shorten_repeats(rows, whole=1) == [*rows[:3], asked(13, LONG[: 5 + BEYOND])]


def test_rows_with_several_turns_are_left_as_they_are() -> None:
    row = Row("talk", (1, 2, 3, 4, 5, *LONG), (1, 2, *range(5, 5 + len(LONG))))
    assert shorten_repeats([row, row, row], whole=1) == [row, row, row]


@given(
    st.lists(st.lists(st.integers(5, 7), min_size=1, max_size=30), min_size=1, max_size=20),
    st.integers(1, 3),
)
def test_what_is_left_of_an_answer_belongs_to_no_other_one(answers, whole: int) -> None:
    rows = [asked(number, tuple(answer)) for number, answer in enumerate(answers)]
    shortened = shorten_repeats(rows, whole)
    for before, after in zip(rows, shortened, strict=True):
        assert after.tokens == before.tokens[: len(after.tokens)]
        assert after.supervised == before.supervised[: len(after.supervised)]
        left = after.tokens[3:]
        if after != before:
            assert {row.tokens[3:] for row in rows if row.tokens[3:][: len(left)] == left} == {
                before.tokens[3:]
            }
    for answer in {row.tokens[3:] for row in rows}:
        same = [n for n, row in enumerate(rows) if row.tokens[3:] == answer]
        assert all(shortened[number] == rows[number] for number in same[:whole])
