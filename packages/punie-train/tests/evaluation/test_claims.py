"""Numbers that prose claims: parts of the truth are right, and what contradicts it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.evaluation.claims import claimed_numbers, false_claims

RIGHT = {
    "and no others": "src/ has 2 type errors, and no other errors.",
    "none further": "Line 9 and line 13 have one each; there are no further type errors.",
    "none left": "I fixed both. There are no errors left.",
    "none remaining": "Fixed 2 errors. No errors remain; 0 remaining errors.",
    "none elsewhere": "a.py has one error, b.py has one error, and there are no errors anywhere else.",
    "none but these": "There are no errors except on lines 9 and 13.",
    "parts by line": "There is one error on line 9 and one error on line 13.",
    "parts by file": "Two errors: one error in a.py, one error in b.py.",
    "file first": "a.py has 1 error and b.py has 1 error.",
    "a list of files": "- `a.py`: 1 error\n- `b.py`: 1 error",
    "the number in brackets": "a.py (1 error), b.py (1 error)",
    "the place first": "In a.py there is one error, and in b.py there is one error.",
    "parts of parts": "2 errors: one error in a.py (one error on line 9), one error in b.py.",
    "one part of a whole": "There are 2 errors. One error on line 9 is about the operator.",
    "by what they are about": "One error is about the operator and one error is about the return type.",
    "by code": "Errors: 2. 1 error is unsupported-operator, 1 error is invalid-return-type.",
    "one and one more": "There is one error on line 9, and one more error.",
    "a part that is empty": "Both are in a.py: 2 errors. b.py has no errors.",
    "numbers without the noun": "2 errors: 1 in a.py, 1 in b.py",
    "what each of them is": "2 errors: 1 error is an operator, 1 error is a wrong return.",
    "by module": "There is one error in module a and one error in module b.",
    "a folder and its files": "src/ has 2 errors: 1 error in src/a.py and 1 error in src/b.py.",
    "a name and its parts": "2 errors in the checker: one error about types, one error about names.",
    "each": "2 errors, 1 error each in a.py and b.py.",
    "the same part said again": "One error on line 9, one error on line 13. One error on line 9 is new.",
}
WRONG = {
    "a single number": "There are 3 errors.",
    "a number of one place": "src/ has 1 type error.",
    "none": "No errors were found.",
    "none in a place": "There are no errors in src/.",
    "none after the noun": "Errors: 0",
    "none, and nothing else": "There are no errors and nothing else to say.",
    "two claims": "There are 2 errors. There is 1 error.",
    "two claims in total": "2 errors in a.py, that is 1 error in total.",
    "two claims of one place": "a.py has 2 errors. There is 1 error in a.py.",
    "two claims of the whole": "There are 2 errors, but there is 1 error in the file.",
    "some and none": "There are 2 errors. No errors were found.",
    "parts that are too many": "One error in a.py and two errors in b.py.",
    "parts that are too few": "One error in a.py and no errors in b.py.",
    "one part twice": "There is 1 error in a.py. I repeat: 1 error in a.py.",
    "parts that are more than the whole": "2 errors: 1 error in a.py, 1 error in b.py, 1 error in c.py.",
    "a part that is more than the whole": "2 errors, of which 3 errors are in a.py.",
    "parts without a place": "There is one error. There is one error.",
    "a whole that is wrong": "3 errors: one error in a.py, one error in b.py.",
    "a part of something else": "There is one error on line 9.",
    "only one, and no other": "There is one error on line 9 and no other error.",
}


@pytest.mark.parametrize("name", RIGHT)
def test_true_claims_pass(name: str) -> None:
    assert false_claims(RIGHT[name], {"errors?": [2]}) == []


@pytest.mark.parametrize("name", WRONG)
def test_false_claims_are_named(name: str) -> None:
    wrong = false_claims(WRONG[name], {"errors?": [2]})

    assert wrong
    assert all(", true would be 2" in each for each in wrong)


def test_where_the_numbers_of_the_files_are_known_others_are_false() -> None:
    counts = {"errors?": [2, 4, 6]}

    assert false_claims("6 errors: 4 errors in stubs.py, 2 errors in tools.py.", counts) == []
    assert false_claims("6 errors, of them one error on line 3 of stubs.py.", counts) == []
    assert false_claims("6 errors: 3 errors in stubs.py, 3 errors in tools.py.", counts) != []
    assert false_claims("stubs.py has 4 errors and tools.py has 3 errors.", counts) != []
    assert false_claims("One error in a.py, one error in b.py.", counts) != []


def test_a_noun_that_has_its_number_is_not_given_another() -> None:
    assert claimed_numbers("Two errors: one error in a.py, one error in b.py", "errors?") == [
        2,
        1,
        1,
    ]
    assert claimed_numbers("3 errors: 2 in a.py", "errors?") == [3]


@given(st.integers(0, 50), st.integers(0, 50))
def test_one_number_is_true_exactly_when_it_is_the_truth(claimed: int, truth: int) -> None:
    for text in (
        f"There are {claimed} errors.",
        f"src/ has {claimed} errors",
        f"Errors: {claimed}",
    ):
        assert (false_claims(text, {"errors?": [truth]}) == []) == (claimed == truth)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 60))
def test_counts_by_file_are_true_exactly_when_they_sum_to_the_truth(
    counts: list[int], truth: int
) -> None:
    text = "\n".join(f"part{place}.py: {count} errors" for place, count in enumerate(counts))
    expected = sum(counts) == truth or set(counts) == {truth}

    assert (false_claims(text, {"errors?": [truth]}) == []) == expected


@given(st.text(alphabet=" .,:;()\n-/0123noerslaid"), st.sampled_from([[], [0], [2], [1, 2, 3]]))
def test_any_prose_can_be_judged(text: str, allowed: list[int]) -> None:
    false_claims(text, {"errors?": allowed})
