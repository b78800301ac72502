"""Reading the hand-written sources."""

import ast
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.sources import fill, literal, read_sources
from punie_train.errors import DataError


@pytest.fixture
def copied(sources: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sources, tmp_path / "sources"))


def test_the_sources_hold_tasks_with_their_phrasings(sources):
    read = read_sources(sources)
    assert set(read.tasks) <= set(read.phrasings)
    assert read.tasks["write_text"].steps == ("print(write_file({{path}}, {{text}}))",)
    assert read.licence == "MIT"


def test_a_missing_source_is_named(copied):
    (copied / "names.toml").unlink()
    with pytest.raises(DataError, match=r"names\.toml: this source is missing"):
        read_sources(copied)


def test_text_that_is_not_toml_is_named_with_its_line(copied):
    (copied / "tasks.toml").write_text("licence = 'MIT'\n[check\n")
    with pytest.raises(DataError, match=r"tasks\.toml: not valid TOML: .*line 2"):
        read_sources(copied)


def test_a_source_without_a_licence_is_refused(copied):
    (copied / "names.toml").write_text("parents = []\n")
    with pytest.raises(DataError, match="`licence` is missing"):
        read_sources(copied)


def test_an_unknown_key_is_named(copied):
    with (copied / "tasks.toml").open("a") as file:
        file.write('\n[odd]\ncategory = "x"\nweight = 1\nsteps = ["1"]\ncolour = "red"\n')
    with pytest.raises(DataError, match=r"tasks\.toml: \[odd\]: colour: Extra inputs"):
        read_sources(copied)


def _add_questions(sources: Path, text: str) -> None:
    with (sources / "questions" / "terms.toml").open("a") as file:
        file.write(text)


def test_a_question_may_be_asked_in_words_of_its_own(copied):
    _add_questions(copied, '\n[[term]]\nterm = "a pen"\nanswer = "Ink."\nasked = ["blue stick?"]\n')
    question = read_sources(copied).questions[-1]
    assert question.slots == {"term": "a pen"}
    assert question.asked == ("blue stick?",)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ('["blue stick?", " "]', r"asked\.1: String should match"),
        ('["blue stick? "]', r"asked\.0: String should match"),
        ('"blue stick?"', "asked: Input should be a valid tuple"),
        ('["blue stick?", "blue stick?"]', "'blue stick\\?' is asked in .*a pen.* already"),
        ('["Green stick"]', "'Green stick' is asked in .*a leaf.* already"),
    ],
)
def test_own_words_that_are_blank_or_taken_are_refused(copied, asked, problem):
    _add_questions(copied, '\n[[term]]\nterm = "a leaf"\nanswer = "A."\nasked = ["green stick?"]\n')
    _add_questions(copied, f'\n[[term]]\nterm = "a pen"\nanswer = "Ink."\nasked = {asked}\n')
    with pytest.raises(DataError, match=problem):
        read_sources(copied)


def test_a_task_may_be_asked_with_the_words_of_another(copied):
    with (copied / "tasks.toml").open("a") as file:
        file.write('\n[odd]\ncategory = "x"\nweight = 1\nsteps = ["1"]\nsaid_as = "check"\n')
    sources = read_sources(copied)
    assert (
        sources.phrasings_of("odd") == sources.phrasings_of("check") == sources.phrasings["check"]
    )


def test_a_task_that_is_asked_with_the_words_of_nothing_is_named(copied):
    with (copied / "tasks.toml").open("a") as file:
        file.write('\n[odd]\ncategory = "x"\nweight = 1\nsteps = ["1"]\nsaid_as = "even"\n')
    with pytest.raises(DataError, match="no phrasings for even"):
        read_sources(copied)


def test_a_task_without_phrasings_is_named(copied):
    with (copied / "tasks.toml").open("a") as file:
        file.write('\n[odd]\ncategory = "x"\nweight = 1\nsteps = ["1"]\n')
    with pytest.raises(DataError, match="no phrasings for odd"):
        read_sources(copied)


def test_a_dialogue_about_an_unknown_intent_is_named(copied):
    (copied / "dialogues.toml").write_text(
        'licence = "MIT"\n[talk]\nabout = "fix"\nweight = 1\nintents = ["check", "sing"]\n'
    )
    with pytest.raises(DataError, match=r"\[talk\] names the unknown intent 'sing'"):
        read_sources(copied)


@given(st.text() | st.integers())
def test_a_literal_reads_back_as_the_value(value):
    assert ast.literal_eval(literal(value)) == value


def test_strings_stand_in_double_quotes_where_that_needs_no_escape():
    assert literal("it's") == '"it\'s"'
    assert literal('say "hi"') == "'say \"hi\"'"


@given(st.text(), st.text())
def test_slots_are_filled_as_literals_or_bare(path, name):
    code = fill("f({{path}}, <<name>>)", {"path": path, "name": name})
    assert code == f"f({literal(path)}, {name})".strip("\n")


def test_an_unknown_slot_is_named():
    with pytest.raises(DataError, match="unknown slot 'color'"):
        fill("print({{color}})", {})


def test_several_values_are_not_filled_in_at_once():
    with pytest.raises(DataError, match='do its steps with `each = "edits"`'):
        fill("<<edits>>", {"edits": ["a = 1", "b = 2"]})
