"""Drills: rows that teach which program to begin with, and what to copy."""

import copy
import re
from dataclasses import replace
from random import Random

import pytest

from punie_train.artefacts import read_jsonl, write_jsonl
from punie_train.data import (
    GenerateConfig,
    MergeConfig,
    audit,
    contract_for,
    generate,
    merge,
    render_audit,
)
from punie_train.data.binders import BINDERS
from punie_train.data.records import contract_problems, shape_problems
from punie_train.data.splits import split_of
from punie_train.data.tasks import draw_drills
from punie_train.data.variety import typical_first
from punie_train.data.wide import WideWorld
from punie_train.errors import DataError
from punie_train.progress import Progress

COUNTS = {"ty_check": (4, 1, 1), "reading": (4, 1, 1)}
DRILLS = {
    "check": 12,
    "list_errors": 4,
    "fix": 5,
    "recover": 2,
    "read_file": 6,
    "show_symbol": 4,
    "write_text": 3,
}


@pytest.fixture(scope="module")
def records(sources, workspaces, tmp_path_factory):
    out = tmp_path_factory.mktemp("drilled") / "records.jsonl"
    generate(
        GenerateConfig(counts=COUNTS, drills=DRILLS),
        sources=sources,
        workspaces=workspaces,
        out=out,
        progress=Progress(),
    )
    return list(read_jsonl(out))


@pytest.fixture(scope="module")
def drills(records):
    return [record for record in records if record.get("drill")]


@pytest.fixture
def wide(world):
    return WideWorld(world.sources, world.workspaces)


def merged(records, folder, config):
    write_jsonl(folder / "records.jsonl", records)
    merge(config, inputs=[folder / "records.jsonl"], out=folder / "out", progress=Progress())
    return audit(folder / "out")


def refusal(records, folder, config=None):
    with pytest.raises(DataError) as caught:
        merged(records, folder, config or MergeConfig())
    return str(caught.value)


def test_as_many_drills_as_asked_for_come_on_top_of_the_examples(records, drills):
    assert len(records) - len(drills) == 12
    assert {intent: sum(each["intent"] == intent for each in drills) for intent in DRILLS} == DRILLS


def test_a_drill_ends_with_the_first_program_and_keeps_the_whole_trace(drills):
    for record in drills:
        assert [each["role"] for each in record["messages"]] == ["system", "user", "assistant"]
        assert record["messages"][-1]["content"].startswith("```python")
    fixes = [record for record in drills if record["intent"] == "fix"]
    assert {len(record["trace"]) for record in fixes} <= {2, 4}  # one or two faults
    assert all(record["trace"][-1]["calls"][-1]["result"]["status"] == "clean" for record in fixes)


def test_drills_are_valid_records_with_phrasings_of_the_train_split(drills):
    contract = contract_for(GenerateConfig())
    for record in drills:
        assert shape_problems(record) == []
        assert contract_problems(record, contract) == []
        assert split_of(record["intent"], record["prompt"]) == "train"


def test_no_prompt_is_asked_twice(records):
    prompts = [record["prompt"].casefold() for record in records]
    assert len(set(prompts)) == len(prompts)


def test_what_a_drill_copies_stands_in_its_prompt(drills):
    for record in drills:
        if record["intent"] not in {"check", "read_file", "fix"}:
            continue
        (path,) = re.findall(
            r'(?:typecheck|read_file)\("([^"]+)"', record["messages"][-1]["content"]
        )[:1]
        assert path in record["prompt"] or path == "."
        assert path == "." or any(each.startswith(path) for each in record["files"])


def test_the_merge_counts_drills_apart_and_puts_them_into_train(records, tmp_path):
    result = merged(records, tmp_path, MergeConfig(sizes=(8, 2, 2), drills=36))
    assert result["drills"] == dict(sorted(DRILLS.items()))
    assert result["rows"] == {"train": 44, "valid": 2, "test": 2}
    assert sum(sum(counts.values()) for counts in result["intents"].values()) == 12
    assert "drills      36 of them" in render_audit(result)


def test_another_number_of_drills_than_promised_is_refused(records, tmp_path):
    assert "there are 36 drills, not 5" in refusal(records, tmp_path, MergeConfig(drills=5))


def test_a_drill_whose_phrasing_belongs_to_another_split_is_refused(records, tmp_path):
    changed = copy.deepcopy(next(record for record in records if record.get("drill")))
    words = iter(range(1000))
    while split_of(changed["intent"], changed["prompt"]) == "train":
        changed["prompt"] = f"Please {'do ' * next(words)}check it"
    changed["messages"][1]["content"] = changed["prompt"]
    changed["id"] = "moved"
    assert "moved: is a drill in " in refusal([*records, changed], tmp_path)


def test_a_drill_with_an_answer_is_no_drill(records, tmp_path):
    whole = next(record for record in records if not record.get("drill"))
    whole["drill"] = True
    problem = "a drill is a request and one program that was run"
    assert problem in refusal(records, tmp_path)


def test_a_drill_with_a_program_that_was_not_run_is_refused(drills, tmp_path):
    changed = copy.deepcopy(drills[0])
    answer = changed["messages"][-1]
    answer["content"] = answer["content"].replace("typecheck(", "typecheck( ")
    assert "program 1 is not the one that was run" in refusal([changed], tmp_path)


def test_drills_are_about_files_that_were_added_under_wide_names(wide):
    tasks = draw_drills(wide, "check", 20, seed=1, seen=set(), accept=lambda task: True)
    for task in tasks:
        assert task.scene is not None
        path = str(task.exchanges[0].slots["path"])
        assert path == "." or any(file.startswith(path) for file in task.scene.extra)


def test_drills_never_ask_what_was_asked_before(wide):
    seen: set[str] = set()
    first = draw_drills(wide, "check", 10, seed=1, seen=seen, accept=lambda task: True)
    second = draw_drills(wide, "check", 10, seed=1, seen=seen, accept=lambda task: True)
    assert not {task.key for task in first} & {task.key for task in second}
    assert len(seen) >= 20


def test_phrasings_that_examples_were_drawn_with_come_last(wide):
    order = typical_first(wide.sources.phrasings["recover"])
    half = len(order) // 2

    def said(after: int) -> set[str]:
        tasks = draw_drills(
            wide,
            "recover",
            half // 2,
            seed=1,
            seen=set(),
            accept=lambda task: True,
            after=after,
        )
        names = [str(task.exchanges[0].slots["name"]) for task in tasks]
        return {
            task.prompt.replace(name, "{name}") for task, name in zip(tasks, names, strict=True)
        }

    assert said(0) <= set(order[:half])
    assert said(half) <= set(order[half:])
    assert said(0) == said(len(order))


def test_drills_of_an_unknown_intent_are_named(wide):
    with pytest.raises(DataError, match=r"unknown intent 'dance'; there are read_file, .*fix"):
        draw_drills(wide, "dance", 1, seed=1, seen=set(), accept=lambda task: True)


def test_sources_without_wide_names_are_told_what_is_missing(world):
    names = world.sources.names.model_copy(update={"wide": None})
    sources = replace(world.sources, names=names)
    with pytest.raises(DataError, match=r"names\.toml has no \[wide\] words"):
        draw_drills(
            WideWorld(sources, world.workspaces),
            "check",
            1,
            seed=1,
            seen=set(),
            accept=lambda task: True,
        )


@pytest.mark.parametrize("seed", range(30))
def test_a_text_to_be_written_is_one_plain_line(wide, seed):
    text = wide.text(Random(seed))
    assert text.strip() == text != ""
    assert text.isprintable()


@pytest.mark.parametrize("seed", range(60))
def test_what_is_replaced_in_a_text_file_stands_there_once(wide, seed):
    binding = BINDERS["replace_text"](Random(seed), wide)
    if binding is None or str(binding.slots["path"]).endswith(".py"):
        return
    text, old = binding.scene.files[str(binding.slots["path"])], str(binding.slots["old"])
    assert text.count(old) == 1
    assert binding.slots["new"] not in ("", old)
