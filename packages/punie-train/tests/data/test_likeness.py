"""Near-duplicates, leaks, and records of any shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.likeness import Alike, LeakIndex, suite_prompts
from punie_train.data.records import shape_problems
from punie_train.errors import DataError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WORD_LISTS = st.lists(
    st.sampled_from(["check", "the", "types", "in", "a.py", "and", "b.py"]), min_size=1
)


@given(st.dictionaries(st.sampled_from(["id", "prompt", "messages", "trace", "files"]), JSON))
def test_any_object_that_is_no_record_is_described_and_never_raises(record):
    assert shape_problems(record)


@given(WORD_LISTS)
def test_a_query_leaks_into_itself_however_it_is_written(words):
    prompt = " ".join(words)
    assert LeakIndex.of([prompt], 6).leaked(f"{prompt.upper()}!") == prompt


@given(WORD_LISTS, st.lists(st.sampled_from(["please", "now"]), max_size=3))
def test_a_long_query_leaks_into_whatever_contains_it(words, more):
    prompt = " ".join(words)
    if len(words) >= 6:
        assert LeakIndex.of([prompt], 6).leaked(" ".join([*more, prompt, *more])) == prompt


def test_five_words_in_common_are_no_leak():
    index = LeakIndex.of(["If there are any type errors in config.py, show me the first one"], 6)
    assert index.leaked("Check a.py and show me the first one") is None
    assert index.leaked("Typecheck it and then show me the first one of them") is None


def test_a_query_about_another_file_has_the_same_phrasing():
    index = LeakIndex.of(["Kindly vet lib/stocks.py for ABC, would you?"], 6)
    assert index.phrased("kindly vet my_app.py for ABC would you") is not None
    assert index.phrased("Kindly vet my_app.py for DEF, would you?") is None


def test_prompts_of_a_suite_are_read_and_a_missing_suite_is_named(tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text('[[queries]]\nprompt = "Read README.md"\n')
    assert suite_prompts([suite]) == ["Read README.md"]
    with pytest.raises(DataError, match=r"none\.toml: cannot be read as a suite"):
        suite_prompts([tmp_path / "none.toml"])


def test_nearly_the_same_example_is_found_and_another_file_is_another_example():
    alike = Alike(0.9)
    program = "result = typecheck({!r})\nfor error in result.errors:\n    print(error.line, error.message)"
    assert alike.add("a", ["Check types in src/app.py"], [program.format("src/app.py")]) is None
    assert alike.add("b", ["Check types in src/app.py!"], [program.format("src/app.py")]) == "a"
    assert alike.add("c", ["Check types in lib/views.py"], [program.format("lib/views.py")]) is None


@given(st.text(), st.text())
def test_an_example_is_always_like_itself(prompt, done):
    alike = Alike(0.95)
    assert alike.add("first", [prompt], [done]) is None
    assert alike.add("second", [prompt], [done]) == "first"
