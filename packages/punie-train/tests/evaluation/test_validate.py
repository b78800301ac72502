"""Validation scores real model folders on real suites, and says exactly what it scored."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from punie_train.cli import main
from punie_train.errors import EvaluationError
from punie_train.evaluation import (
    Scores,
    ValidateConfig,
    compare,
    load_scores,
    render_comparison,
    render_scores,
    report,
    validate,
)
from punie_train.progress import Progress

DATA = Path(__file__).parent / "data"
CONFIG = ValidateConfig(max_tokens=8, max_requests=2, batch=4, latency_queries=1)


def score(
    models: dict[str, Path], workspaces: Path, out: Path, config: ValidateConfig = CONFIG
) -> Scores:
    return validate(
        config,
        models=models,
        suites=[DATA / "suites/phase23.toml"],
        workspaces=workspaces,
        out=out,
        progress=Progress(stream=StringIO()),
    )


@pytest.fixture(scope="module")
def run(tiny_model: Path, workspaces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder after validation, with what the other stages leave there."""
    folder = tmp_path_factory.mktemp("runs") / "phase23-tiny"
    (folder / "adapter").mkdir(parents=True)
    (folder / "stages").mkdir()
    score({"base": tiny_model, "quantized": tiny_model}, workspaces, folder / "scores.json")
    lines = [{"step": n, "loss": 3.0 / n, "tokens_per_second": 100.0} for n in range(1, 9)]
    lines += [{"step": 8, "validation_loss": 0.5}]
    (folder / "adapter/metrics.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    (folder / "stages/train.done.json").write_text(
        json.dumps(
            {"stage": "train", "seconds": 61.0, "peak_memory_bytes": 10**9, "output": "ab" * 32}
        )
    )
    return folder


def test_a_random_model_passes_nothing_that_needs_a_tool(run: Path) -> None:
    scores = load_scores(run / "scores.json")

    assert [model.name for model in scores.models] == ["base", "quantized"]
    for model in scores.models:
        assert not model.ok
        assert (model.suites[0].passed, model.suites[0].total) == (0, 15)
        assert [(c.id, c.total, c.ok) for c in model.suites[0].categories] == [
            ("A", 5, False),
            ("B", 5, False),
            ("C", 5, False),
        ]
        assert model.suites[0].flags["never calls typecheck"] == 7


def test_a_model_that_is_given_drafts_is_scored_as_if_it_had_none(run: Path) -> None:
    """Both are the same model; the second one is given what the first one answered."""
    first, second = (
        [query.model_dump(exclude={"seconds"}) for query in model.suites[0].queries]
        for model in load_scores(run / "scores.json").models
    )
    assert first == second


def test_scores_say_what_was_scored(run: Path, tiny_model: Path) -> None:
    identity = load_scores(run / "scores.json").models[0].identity

    assert identity.path == tiny_model.name
    assert re.fullmatch(r"[0-9a-f]{64}", identity.digest)
    assert identity.contract_digest.startswith("sha256:")
    assert identity.bytes == (tiny_model / "model.safetensors").stat().st_size
    assert identity.bits_per_weight == pytest.approx(32, rel=0.01)


def test_another_weight_is_another_model(
    run: Path, tiny_model: Path, workspaces: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(tiny_model, changed)
    weights = bytearray((changed / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (changed / "model.safetensors").write_bytes(weights)
    config = CONFIG.model_copy(update={"only": {"phase23": []}})

    scores = score({"base": changed}, workspaces, tmp_path / "scores.json", config)

    assert scores.models[0].suites == []
    assert (
        scores.models[0].identity.digest
        != load_scores(run / "scores.json").models[0].identity.digest
    )


def test_a_model_of_another_contract_is_marked(
    tiny_model: Path, workspaces: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    (other / "punie.json").write_text(json.dumps({"contract_digest": "sha256:0"}))
    config = CONFIG.model_copy(update={"max_tokens": 1, "max_requests": 1})

    model = score({"other": other}, workspaces, tmp_path / "scores.json", config).models[0]

    assert (model.identity.contract_matches, model.ok) == (False, False)


def test_a_model_is_given_the_tools_it_was_taught(
    tiny_model: Path, workspaces: Path, tmp_path: Path
) -> None:
    taught = tmp_path / "taught"
    shutil.copytree(tiny_model, taught)
    tools = ["typecheck", "read_file", "write_file"]
    (taught / "punie.json").write_text(json.dumps({"contract": {"tools": tools}}))

    with pytest.raises(EvaluationError, match="needs run_command, which taught was not taught"):
        score({"taught": taught}, workspaces, tmp_path / "scores.json")


def test_what_is_no_model_is_refused(tmp_path: Path, workspaces: Path) -> None:
    with pytest.raises(EvaluationError, match="neither a model folder nor an adapter folder"):
        score({"base": tmp_path}, workspaces, tmp_path / "scores.json")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(EvaluationError, match="give the model named `base` too"):
        score({"adapter": tmp_path}, workspaces, tmp_path / "scores.json")
    assert not (tmp_path / "scores.json").exists()


SUITE = """
format = 1
name = "asked"
title = "Asked"
workspace = "shelf"

[[categories]]
id = "check"
title = "Check"
target = 1
minimum = {minimum}

[[queries]]
id = "types"
category = "check"
behaviour = "check"
prompt = "Check types in books.py"
answer = "tools"
steps = [{{ any = [{{ tool = "typecheck" }}] }}]
truth = '''print('{{"facts": [[["nothing"]]]}}')'''
solution = ["print(typecheck('books.py').error_count)"]
"""


@pytest.mark.parametrize(("minimum", "code"), [(0, 0), (1, 1)])
def test_a_model_below_a_category_s_minimum_is_told_by_the_exit_code(
    tiny_model: Path, tmp_path: Path, minimum: int, code: int
) -> None:
    suite, out = tmp_path / "suites/asked.toml", tmp_path / "scores.json"
    shelf = tmp_path / "workspaces/shelf"
    for folder in (suite.parent, shelf):
        folder.mkdir(parents=True)
    suite.write_text(SUITE.format(minimum=minimum))
    (shelf / "books.py").write_text("pages = 1\n")
    asked = ["validate", "--model", str(tiny_model), "--suite", str(suite), "--out", str(out)]
    assert main(asked) == code
    (model,) = load_scores(out).models
    assert [(each.suite, each.passed, each.total) for each in model.suites] == [("asked", 0, 1)]


def test_scores_are_shown_as_text(run: Path) -> None:
    text = render_scores(json.loads((run / "scores.json").read_text()))

    assert "phase23: 0/15 (0 to 20 % with 95 % confidence)" in text
    assert "FAIL  C regression: 0/5 (target 5, minimum 5)" in text
    assert "flag  never calls typecheck: 7" in text
    assert "NOT PASSED" in text


class Page(HTMLParser):
    """Checks nesting and remembers what a page asks for and says."""

    VOID = frozenset({"meta", "input", "line", "rect", "path", "circle", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag and what it asks for."""
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [
            value or "" for name, value in attrs if name in {"src", "href", "data", "action"}
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what it asks for."""
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember the text."""
        self.text += data


def test_the_report_is_one_page_that_asks_for_nothing(run: Path) -> None:
    report(run=run, out=run / "report.html")
    source = (run / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(source)
    page.close()

    assert page.open == []
    assert page.links == []
    assert "@import" not in source
    assert "url(" not in source
    assert "://" not in source.replace('xmlns="http://www.w3.org/2000/svg"', "")
    for words in (
        "phase23-tiny",
        "0/15",
        "Models side by side",
        "Check types in src/punie/agent/",
        "1 min 01 s",
    ):
        assert words in page.text
    assert source.count("<svg") == 3


def test_the_report_holds_the_scores_and_the_gates(run: Path) -> None:
    report(run=run, out=run / "report.html")
    gathered = json.loads((run / "report.json").read_text(encoding="utf-8"))

    assert load_scores(run / "report.json") == load_scores(run / "scores.json")
    assert [(gate["name"], gate["ok"]) for gate in gathered["gates"]] == [("validation loss", True)]
    assert [stage["stage"] for stage in gathered["stages"]] == ["train"]


def test_what_a_model_wrote_cannot_act_in_the_report(run: Path, tmp_path: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    scores["models"][0]["suites"][0]["queries"][0]["answer"] = (
        "<script>alert(1)</script><img src=x>"
    )
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "scores.json").write_text(json.dumps(scores))

    report(run=folder, out=folder / "report.html")

    source = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in source
    assert "&lt;script&gt;alert(1)" in source


def test_a_run_without_scores_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="there is no such file"):
        report(run=tmp_path, out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def changed_scores(run: Path, folder: Path, passed: set[str]) -> Path:
    scores = json.loads((run / "scores.json").read_text())
    for query in scores["models"][0]["suites"][0]["queries"]:
        query["passed"] = query["id"] in passed
    path = folder / f"{len(passed)}.json"
    path.write_text(json.dumps(scores))
    return path


def test_a_comparison_names_every_query_that_changed(run: Path, tmp_path: Path) -> None:
    old = changed_scores(run, tmp_path, {"A1", "A2", "B1"})
    new = changed_scores(run, tmp_path, {"A1", "C5"})

    comparison = compare(old, new)
    pair = comparison["pairs"][0]

    assert (pair["model"], pair["passed_before"], pair["passed_after"]) == ("base", 3, 2)
    assert [query["id"] for query in pair["regressed"]] == ["A2", "B1"]
    assert [query["id"] for query in pair["improved"]] == ["C5"]
    assert not comparison["regressed_beyond_chance"]
    assert "lost  A2  What type errors are in config.py?" in render_comparison(comparison)
    assert "within chance" in render_comparison(comparison)


def test_losing_many_queries_is_beyond_chance(run: Path, tmp_path: Path) -> None:
    old = changed_scores(run, tmp_path, {"A1", "A2", "A3", "A4", "A5", "B1", "B2"})
    new = changed_scores(run, tmp_path, {"A1"})

    assert compare(old, new)["regressed_beyond_chance"]
    assert not compare(new, old)["regressed_beyond_chance"]
