"""Two reports are compared on what both have, and what only one has is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from punie_train.cli import main
from punie_train.errors import EvaluationError
from punie_train.evaluation import compare, render_comparison
from punie_train.evaluation.scores import Identity, ModelScore, QueryScore, Scores, SuiteScore

Passed = Mapping[str, Mapping[str, Mapping[str, bool]]]
"""Whether a query was passed, by model, suite and query."""


def query(name: str, passed: bool) -> QueryScore:
    return QueryScore(
        id=name, category="A", behaviour="reading", prompt=f"Ask {name}", passed=passed, checks=[],
        expected_tool="", chosen_tool="", flags=[], runs=[], answer="", stop_reason="end_turn",
        seconds=0.0, output_tokens=1,
    )  # fmt: skip


def suite(name: str, queries: Mapping[str, bool]) -> SuiteScore:
    return SuiteScore(
        suite=name, title=name, passed=sum(queries.values()), total=len(queries), low=0.0, high=1.0,
        ok=True, categories=[], behaviours=[], flags={}, confusion={}, seconds=0.0,
        queries=[query(*each) for each in queries.items()],
    )  # fmt: skip


def written(path: Path, models: Passed) -> Path:
    scores = Scores(
        suites={name: "digest" for suites in models.values() for name in suites},
        models=[
            ModelScore(
                name=name,
                identity=Identity(path="", digest="", contract_digest=""),
                load_seconds=0.0,
                suites=[suite(*each) for each in suites.items()],
                ok=True,
            )
            for name, suites in models.items()
        ],
        versions={},
        config={},
        seconds=0.0,
        peak_memory_bytes=0,
    )
    path.write_text(scores.model_dump_json(), encoding="utf-8")
    return path


OLD: Passed = {"base": {"mine": {"A1": True, "A2": True}, "gone": {"G1": True}}, "first": {}}
NEW: Passed = {"base": {"mine": {"A1": True, "A3": False}, "fresh": {"F1": True}}, "second": {}}


def test_what_only_one_report_has_is_named(tmp_path: Path) -> None:
    comparison = compare(written(tmp_path / "old", OLD), written(tmp_path / "new", NEW))

    assert comparison["pairs"][0]["only_in_old"] == ["A2"]
    assert comparison["pairs"][0]["only_in_new"] == ["A3"]
    assert comparison["suites_only_in_old"] == ["base on gone"]
    assert comparison["suites_only_in_new"] == ["base on fresh"]
    assert render_comparison(comparison).splitlines() == [
        f"only in {tmp_path / 'old'}: model first",
        f"only in {tmp_path / 'new'}: model second",
        f"only in {tmp_path / 'old'}: base on gone",
        f"only in {tmp_path / 'new'}: base on fresh",
        "base on mine: 1 -> 1 of 1 (+0, p = 1, within chance)",
        f"  only in {tmp_path / 'old'}: A2",
        f"  only in {tmp_path / 'new'}: A3",
    ]


def test_reports_of_the_same_queries_name_nothing(tmp_path: Path) -> None:
    comparison = compare(written(tmp_path / "old", OLD), written(tmp_path / "new", OLD))

    assert "only in" not in render_comparison(comparison)


@pytest.mark.parametrize(
    "new",
    [
        {"other": {"mine": {"A1": True}}},
        {"base": {"other": {"A1": True}}},
        {"base": {"mine": {"B1": True}}},
        {},
    ],
)
def test_nothing_in_common_is_an_error(
    tmp_path: Path, new: Passed, capsys: pytest.CaptureFixture[str]
) -> None:
    old = written(tmp_path / "old.json", {"base": {"mine": {"A1": True}}})
    other = written(tmp_path / "new.json", new)

    with pytest.raises(EvaluationError, match=r"old\.json and .*new\.json have nothing in common"):
        compare(old, other)
    assert main(["compare", str(old), str(other)]) == 2
    assert "nothing in common" in capsys.readouterr().err


def test_a_comparison_is_json_values(tmp_path: Path) -> None:
    comparison = compare(written(tmp_path / "old", OLD), written(tmp_path / "new", NEW))

    assert json.loads(json.dumps(comparison)) == comparison


def test_a_file_of_another_kind_is_told_in_a_few_lines(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.json", {"base": {"mine": {f"A{i}": True for i in range(9)}}})
    scores = json.loads(whole.read_text(encoding="utf-8"))
    for one in scores["models"][0]["suites"][0]["queries"]:
        del one["runs"], one["seconds"]
    part = tmp_path / "part.json"
    part.write_text(json.dumps(scores), encoding="utf-8")
    with pytest.raises(EvaluationError) as caught:
        compare(part, whole)
    places = [
        f"models.0.suites.0.queries.{i}.{key}: Field required"
        for i in range(4)
        for key in ("seconds", "runs")
    ]
    listed = str(caught.value).removeprefix(f"{part}: does not follow the format: ")
    *first, last = listed.split("; ")
    assert sorted(first) == sorted(places)
    assert last == "and 10 more."
