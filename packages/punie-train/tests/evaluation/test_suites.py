"""Suites are read strictly, and a fault is named with its place."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from punie_train.data.likeness import suite_prompts
from punie_train.errors import EvaluationError
from punie_train.evaluation import load_suite, suite_schema
from punie_train.evaluation.play import open_suite

SUITE = """
format = 1
name = "mine"
title = "Mine"
workspace = "shop"

[[categories]]
id = "A"
title = "all"
target = 1
minimum = 1

[[queries]]
id = "A1"
category = "A"
behaviour = "reading"
prompt = "Read README.md"
answer = "tools"
steps = [{ any = [{ tool = "read_file", args = { path = "README.md" } }] }]
truth = 'print(json.dumps({"facts": [[["x"]]]}))'
solution = ['print(read_file("README.md"))']
"""
KINDS = """
[kinds.read]
answer = "tools"
steps = [{ any = [{ tool = "read_file", args = { path = "@path@" } }] }]
truth = 'print(json.dumps({"facts": [[[read_file("@path@")]]]}))'
solution = ['print(read_file("@path@"))']

[[queries]]
id = "A2"
category = "A"
behaviour = "reading"
prompt = "Read NEWS.md"
kind = "read"
vars = { path = "NEWS.md" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_suite_is_read(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, SUITE))

    assert (suite.name, [query.id for query in suite.queries]) == ("mine", ["A1"])
    assert suite.tools == ["typecheck", "read_file", "write_file", "run_command"]


def test_a_query_of_a_kind_is_filled_in(tmp_path: Path) -> None:
    query = load_suite(written(tmp_path, SUITE + KINDS)).queries[1]

    assert query.solution == ['print(read_file("NEWS.md"))']
    assert query.steps[0].any[0].args == {"path": "NEWS.md"}


def test_the_schema_accepts_what_the_reader_accepts(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, SUITE + KINDS))

    jsonschema.validate(suite.model_dump(mode="json", exclude_defaults=True), suite_schema())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "format: Input should be 1"),
        ('title = "Mine"', 'titel = "Mine"', "titel: Extra inputs"),
        ("minimum = 1", "minimum = 2", "minimum <= target"),
        ('category = "A"', 'category = "B"', "unknown categories: B"),
        ('answer = "tools"', 'answer = "direct"', "a direct query names its concept"),
        ('truth = \'print(json.dumps({"facts": [[["x"]]]}))\'\n', "", "has a truth, or files"),
        ("[[queries]]", "[[queries", "not valid TOML"),
        ('path = "README.md"', "path = { path = 'a', covers = 'b' }", "exactly one of path"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_suite(written(tmp_path, SUITE.replace(old, new)))

    assert "mine.toml" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "read"', 'kind = "red"', "there is no kind 'red'"),
        ('vars = { path = "NEWS.md" }', "", "needs vars.path"),
        ('id = "A2"', 'id = "A1"', "query ids occur twice: A1"),
    ],
)
def test_a_fault_in_a_kind_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        load_suite(written(tmp_path, SUITE + KINDS.replace(old, new)))


REWORDED = """
format = 1
name = "reworded"
title = "Mine, in other words"
rewords = "mine.toml"

[prompts]
A2 = "What does NEWS.md say?"
"""


def test_a_suite_may_ask_the_queries_of_another_in_other_words(tmp_path: Path) -> None:
    mine = written(tmp_path, SUITE + KINDS)
    path = tmp_path / "reworded.toml"
    path.write_text(REWORDED, encoding="utf-8")

    loaded = open_suite(path)

    asked = load_suite(mine).queries[1].model_copy(update={"prompt": "What does NEWS.md say?"})
    assert (loaded.suite.name, loaded.suite.queries) == ("reworded", [asked])
    assert suite_prompts([path]) == ["What does NEWS.md say?"]
    before = loaded.digest()
    written(tmp_path, SUITE + KINDS + "# changed")
    assert loaded.digest() != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("A2 =", "A3 =", "mine.toml has no query A3"),
        ("mine.toml", "yours.toml", "yours.toml: there is no such suite"),
        ("[prompts]\nA2", "prompts", "`prompts` is a table"),
        ("A2 = ", "A2 = 2 #", "prompt: Input should be a valid string"),
    ],
)
def test_a_fault_in_a_rewording_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    written(tmp_path, SUITE + KINDS)
    path = tmp_path / "reworded.toml"
    path.write_text(REWORDED.replace(old, new), encoding="utf-8")

    with pytest.raises(EvaluationError, match=message):
        load_suite(path)


def test_a_missing_suite_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="give the path of a TOML file"):
        load_suite(tmp_path / "none.toml")


def test_a_concept_that_the_bank_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "concepts.toml").write_text(
        '[[concepts]]\nid="a"\nquestion="q"\nanswers=["x"]\n[[concepts]]\nid="b"\nquestion="q"\nanswers=["y"]\n'
    )
    text = SUITE.replace(
        'workspace = "shop"', 'workspace = "shop"\nconcepts = "concepts.toml"'
    ).replace('answer = "tools"', 'answer = "direct"\nconcept = "alchemy"')
    text = "\n".join(
        line for line in text.splitlines() if not line.startswith(("steps", "truth", "solution"))
    )

    with pytest.raises(EvaluationError, match=r"concepts\.toml has no entry alchemy"):
        open_suite(written(tmp_path, text))
