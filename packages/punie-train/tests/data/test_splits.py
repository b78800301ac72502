"""Which split a row belongs to."""

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from punie_train.data.splits import normalised, plain, split_of

PATHS = st.from_regex(r"[a-z]{1,8}(/[a-z_]{1,8}){0,3}\.(py|md|toml)", fullmatch=True)
CLASSES = st.from_regex(r"[A-Z][a-z]{1,6}[A-Z][a-z]{1,6}", fullmatch=True)


@given(PATHS, PATHS)
def test_a_phrasing_is_in_one_split_whatever_file_it_names(first, second):
    assert split_of("check", f"Check types in {first}") == split_of(
        "check", f"Check types in {second}"
    )


@given(CLASSES, CLASSES)
def test_a_phrasing_is_in_one_split_whatever_class_it_names(first, second):
    assert split_of("show", f"Show the {first} class") == split_of(
        "show", f"Show the {second} class"
    )


@given(st.text())
@example("\u0131")
@example("ß")
@example("\u0130")
def test_case_and_punctuation_do_not_move_a_row(prompt):
    assert normalised(normalised(prompt)) == normalised(normalised(prompt).upper().lower())
    assert split_of("read", prompt) == split_of("read", prompt)


@given(st.text(), st.text())
def test_two_prompts_are_the_same_only_when_their_words_are(first, second):
    if first.split() == second.split():
        assert plain(first) == plain(second)


def test_quoted_text_numbers_and_paths_are_masked():
    assert normalised('Write "hello there" to notes.txt, 12 lines') == "write · to · · lines"
    assert normalised("Read `src/app.py`, please!") == "read · please"


def test_words_are_kept():
    assert normalised("What's the difference between a list and a tuple?") == (
        "what s the difference between a list and a tuple"
    )


def test_about_a_tenth_goes_to_test_and_a_tenth_to_valid():
    words = [
        f"prompt {chr(97 + a)}{chr(97 + b)}{chr(97 + c)}"
        for a in range(15)
        for b in range(15)
        for c in range(15)
    ]
    counts = Counter(split_of("any", word) for word in words)
    shares = {split: count / len(words) for split, count in counts.items()}
    assert 0.08 < shares["test"] < 0.12
    assert 0.08 < shares["valid"] < 0.12


def test_a_row_of_a_smaller_phase_stays_where_it_was():
    assert {prompt: split_of("check", prompt) for prompt in ("Typecheck a.py", "Lint b.py")} == {
        prompt: split_of("check", prompt) for prompt in ("Lint b.py", "Typecheck a.py")
    }
