"""Rows stop where the rest of them is known from other rows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from punie_train.training.ends import (
    LEAST,
    MARGIN,
    SPARED,
    stop_at_known_answers,
    stop_at_known_ends,
)
from punie_train.training.rows import Row

ASKED = 4


def row(name: str, turn: list[int]) -> Row:
    tokens = (*(1 for _ in range(ASKED)), *turn)
    return Row(name, tokens, tuple(range(ASKED, len(tokens))), acts=True)


def test_after_enough_whole_rows_one_stops_once_its_end_is_told_from_every_other() -> None:
    first_error = [50, 51, 52, 53, 54, 55, 60, 61, *range(100, 130)]
    all_errors = [50, 51, 52, 53, 54, 55, 70, 71, *range(200, 230)]
    rows = [row(f"first-{path}", [path, *first_error]) for path in range(300, 303)]
    rows += [row(f"all-{path}", [path, *all_errors]) for path in range(400, 403)]

    cut = stop_at_known_ends(rows, whole=2)

    told = 7 + MARGIN  # six tokens are shared, the seventh tells
    assert cut == [
        rows[0],
        rows[1],
        row("first-302", [302, *first_error[:told], *first_error[told : 16 - 1]]),
        rows[3],
        rows[4],
        row("all-402", [402, *all_errors[:told], *all_errors[told : 16 - 1]]),
    ]


def test_an_end_that_few_rows_share_stays() -> None:
    rows = [row(str(path), [path, *range(100, 140)]) for path in range(300, 303)]

    assert stop_at_known_ends(rows, whole=3) == rows


def test_answers_in_prose_have_no_end_that_is_known() -> None:
    answers = [replace(row(str(number), [*range(100, 140)]), acts=False) for number in range(4)]

    assert stop_at_known_ends(answers, whole=1) == answers


def test_after_enough_whole_ones_an_answer_stops_after_its_head() -> None:
    one, other = [range(start, start + 16 + SPARED) for start in (100, 200)]
    rows = [
        replace(row(str(number), [*text]), acts=False)
        for number, text in enumerate((one, other, one, one, other))
    ]

    cut = stop_at_known_answers(rows, whole=2)

    assert cut == [*rows[:3], replace(row("3", [*one[:16]]), acts=False), rows[4]]


def test_programs_and_short_answers_are_not_cut_as_answers() -> None:
    short = [replace(row(str(number), [*range(100, 120)]), acts=False) for number in range(3)]
    programs = [row(str(number), [*range(200, 240)]) for number in range(3, 6)]

    assert stop_at_known_answers([*short, *programs], whole=1) == [*short, *programs]


def test_only_the_last_turn_is_cut() -> None:
    first, last = list(range(100, 130)), list(range(200, 240))
    tokens = (1, 1, *first, 2, 2, *last)
    both = (*range(2, 32), *range(34, 74))
    rows = [Row(str(number), tokens, both, acts=True) for number in range(3)]

    cut = stop_at_known_ends(rows, whole=2)

    assert cut[:2] == rows[:2]
    assert cut[2].tokens == tokens[: 34 + 16]
    assert cut[2].supervised == both[: 30 + 16]


def test_what_a_cut_would_hardly_spare_is_left() -> None:
    turn = list(range(100, 116 + SPARED - 1))

    rows = [row(str(number), turn) for number in range(4)]

    assert stop_at_known_ends(rows, whole=1) == rows


@given(
    turns=st.lists(st.lists(st.integers(10, 14), min_size=1, max_size=60), min_size=1, max_size=12),
    whole=st.integers(1, 3),
)
def test_a_row_is_a_beginning_of_what_it_was_and_each_end_is_learned_whole_somewhere(
    turns: list[list[int]], whole: int
) -> None:
    rows = [row(str(number), turn) for number, turn in enumerate(turns * 2)]

    cut = stop_at_known_ends(rows, whole)

    assert [one.name for one in cut] == [one.name for one in rows]
    for before, after in zip(rows, cut, strict=True):
        assert after.tokens == before.tokens[: len(after.tokens)]
        assert after.supervised == before.supervised[: len(after.supervised)]
        assert len(after.weights) == len(after.supervised) >= min(LEAST, len(before.supervised))
        lost = before.tokens[len(after.tokens) :]
        if lost:
            assert sum(one.tokens[-len(lost) :] == lost for one in cut) >= whole
