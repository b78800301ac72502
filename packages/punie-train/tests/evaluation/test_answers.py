"""Direct answers are about their question, in any words, and come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.errors import EvaluationError
from punie_train.evaluation.answers import AnswerJudge, degenerate, load_bank
from punie_train.evaluation.claims import claimed_numbers, false_claims

BANK = load_bank(Path(__file__).parent / "data/suites/concepts.toml")
JUDGE = AnswerJudge(BANK)


@pytest.mark.parametrize("concept", BANK.concepts, ids=lambda concept: concept.id)
def test_every_reference_answer_is_about_its_own_question(concept) -> None:
    for answer in concept.answers:
        assert JUDGE.judge(answer, concept.id, concept.question).ok


@pytest.mark.parametrize("concept", BANK.concepts, ids=lambda concept: concept.id)
def test_every_reference_answer_fails_for_every_other_question(concept) -> None:
    others = [other for other in BANK.concepts if other.id != concept.id]

    assert not any(JUDGE.judge(concept.answers[0], other.id, other.question).ok for other in others)


@pytest.mark.parametrize("concept", BANK.concepts, ids=lambda concept: concept.id)
def test_repeating_the_question_is_no_answer(concept) -> None:
    assert not JUDGE.judge(
        f"{concept.question} {concept.question}", concept.id, concept.question
    ).ok


@pytest.mark.parametrize(
    "concept", [each for each in BANK.concepts if each.wrong], ids=lambda concept: concept.id
)
def test_a_misconception_spoils_a_good_answer(concept) -> None:
    answer = f"{concept.answers[0]} {concept.wrong[0]}"

    verdict = JUDGE.judge(answer, concept.id, concept.question)

    assert (verdict.ok, verdict.reason) == (False, f"it says what is wrong: {concept.wrong[0]}")


def test_a_concept_must_be_in_the_bank() -> None:
    with pytest.raises(EvaluationError, match="no entry 'alchemy'"):
        JUDGE.judge(
            "Gold is made of lead and patience, of fire and of time.", "alchemy", "What is it?"
        )


@given(st.text(min_size=1, max_size=12), st.integers(30, 200))
def test_a_text_that_repeats_itself_is_stuck(text: str, times: int) -> None:
    if text.strip():
        assert degenerate(" ".join([text] * 30 * times))


def test_a_broken_bank_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bank.toml"
    path.write_text('[[concepts]]\nid = "a"\nquestion = "b"\n[[concepts]]\nid = "c"\nanswer = 1\n')

    with pytest.raises(
        EvaluationError, match=r"bank.toml: .*concepts\.0\.answers.*concepts\.1\.question"
    ):
        load_bank(path)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("There are 3 type errors.", [3]),
        ("No errors were found", [0]),
        ("two errors in a.py and one error in b.py", [2, 1]),
        ("**Errors:** 4", [4]),
        ("The error count is 7", [7]),
        ("a.py:12: error", []),
        ("line 3 has an error", []),
        ("on line 3 errors occur", []),
        ("3 files", []),
    ],
)
def test_numbers_claimed_of_a_noun_are_found(text: str, numbers: list[int]) -> None:
    assert claimed_numbers(text, "errors?") == numbers


def test_a_false_claim_is_named() -> None:
    assert false_claims("I found 5 errors.", {"errors?": [3]}) == [
        "it claims 5 errors, true would be 3"
    ]
    assert false_claims("I found 3 errors.", {"errors?": [3]}) == []
