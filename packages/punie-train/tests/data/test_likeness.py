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


@pytest.mark.parametrize("words", [3, 4, 5])
@given(st.lists(st.sampled_from(["please", "now"]), max_size=3))
def test_a_short_query_leaks_into_whatever_contains_it_whole(words, more):
    query = " ".join(["Check", "types", "in", "cli.py", "quickly"][:words])
    index = LeakIndex.of([query], 6)
    assert index.leaked(" ".join([*more, query.lower(), *more])) == query
    assert index.leaked(f"Check the {query.removeprefix('Check ')}") is None


def test_a_short_query_is_found_beside_queries_of_other_lengths():
    queries = [
        "Check types in cli.py",
        "Lint app.py today",
        "Show me the first error of a.py, please",
    ]
    index = LeakIndex.of(queries, 6)
    assert index.leaked("Please check types in cli.py") == queries[0]
    assert index.leaked("Could you lint app.py today?") == queries[1]
    assert index.leaked("Now show me the first error of b.py") == queries[2]
    assert index.leaked("Please check types in app.py") is None


def test_queries_of_one_or_two_words_leak_only_as_they_are():
    index = LeakIndex.of(["Read README.md", "Lint"], 6)
    assert index.leaked("read README.md!") == "Read README.md"
    assert index.leaked("Read README.md and tell me what it says") is None
    assert index.leaked("Lint app.py") is None


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


KIND = """
[kinds.read]
prompt = "What does @path@ say?"

[[queries]]
id = "A1"
kind = "read"
vars = { path = "NEWS.md" }

[[queries]]
id = "A2"
kind = "read"
prompt = "Read README.md"
vars = { path = "README.md" }
"""


def test_a_prompt_that_a_kind_holds_is_read_filled_in(tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text(KIND)
    assert suite_prompts([suite]) == ["What does NEWS.md say?", "Read README.md"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[queries]]\nid = "A1"\n', "query 'A1' has no prompt"),
        ('[[queries]]\nid = "A1"\nkind = "read"\n', "query 'A1' has no prompt"),
        (KIND.replace('path = "NEWS.md"', ""), r"query 'A1': kind 'read' needs vars\.path"),
        (KIND.replace('{ path = "NEWS.md" }', "3"), "query 'A1': `vars` is a table"),
        (KIND.replace('kind = "read"', 'kind = "red"', 1), "query 'A1': there is no kind 'red'"),
        (KIND.replace('kind = "read"', 'kind = ["read"]', 1), "query 'A1': there is no kind"),
        (
            "kinds.read = 3" + KIND[KIND.index("\n\n") :],
            "and so is kind 'read'",
        ),
        ('queries = ["Read README.md"]', "`queries` is a list of tables"),
        ("[[queries]]\nprompt = 3\n", "query None has no prompt"),
        ('rewords = "other.toml"\n[prompts]\nA1 = "Read it"\n', r"other\.toml: there is no such"),
        ("[[queries", "not valid TOML"),
    ],
)
def test_a_suite_whose_prompts_cannot_be_read_is_named_with_the_query(tmp_path, text, message):
    suite = tmp_path / "suite.toml"
    suite.write_text(text)
    with pytest.raises(DataError, match=rf"suite\.toml: cannot be read as a suite: .*{message}"):
        suite_prompts([suite])


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
