"""From sources to executed records."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from punie_train.artefacts import read_jsonl
from punie_train.data import GenerateConfig, contract_for, generate
from punie_train.data.records import contract_problems, shape_problems
from punie_train.data.scenes import World
from punie_train.data.sources import Question
from punie_train.data.splits import split_of
from punie_train.data.tasks import Task, draw
from punie_train.errors import DataError
from punie_train.progress import Progress


@pytest.fixture(scope="module")
def records(generated):
    return list(read_jsonl(generated))


def test_every_category_and_split_has_as_many_records_as_asked_for(records, counts_asked):
    counts = Counter(
        (record["category"], split_of(record["intent"], record["prompt"])) for record in records
    )
    assert counts == Counter(
        {
            (category, split): count
            for category, quota in counts_asked.items()
            for split, count in zip(("train", "valid", "test"), quota, strict=True)
        }
    )


def test_every_record_has_the_right_shape_and_keeps_the_contract(records):
    contract = contract_for(GenerateConfig())
    assert [shape_problems(record) for record in records] == [[]] * len(records)
    assert [contract_problems(record, contract) for record in records] == [[]] * len(records)


def test_every_program_was_run(records):
    for record in records:
        programs = [
            each["content"]
            for each in record["messages"]
            if each["content"].startswith("```python")
        ]
        assert len(programs) == len(record["trace"])
        assert record["trace"] or record["category"] == "direct"


def test_a_fixed_file_has_no_type_errors_left(records):
    for record in records:
        if record["intent"] != "fix":
            continue
        results = [
            call["result"]
            for run in record["trace"]
            for call in run["calls"]
            if call["name"] == "typecheck"
        ]
        assert results[0]["error_count"] > 0
        assert results[-1]["status"] == "clean"
        assert record["messages"][-1]["content"].startswith("Fixed: ")


def test_a_dialogue_checks_fixes_and_verifies_in_turn(records):
    dialogue = next(record for record in records if record["category"] == "dialogue")
    calls = [[call["name"] for call in run["calls"]] for run in dialogue["trace"]]
    look, edit = ["typecheck", "read_file"], ["read_file", "write_file", "typecheck"]
    check = ["typecheck"]
    assert calls in (
        [check, look, edit, check],
        [check, look, edit, look, edit, check],
    )
    assert dialogue["messages"][-1]["content"].endswith(" passes the type check.")


def test_the_final_answer_counts_what_the_checker_found(records):
    for record in records:
        if record["category"] != "ty_check" or record["intent"] != "check":
            continue
        count = record["trace"][-1]["calls"][-1]["result"]["error_count"]
        answer = record["messages"][-1]["content"]
        assert (
            answer.startswith("No type errors")
            if count == 0
            else f"has {count} type error" in answer
        )


def test_the_same_configuration_draws_the_same_tasks(world):
    def ids(seed):
        return [
            task.id
            for task in draw(world, "ty_check", (8, 1, 1), seed=seed, accept=lambda task: True)
        ]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_a_larger_quota_keeps_what_was_drawn(world):
    def train(count):
        tasks = draw(world, "reading", (count, 0, 0), seed=1, accept=lambda task: True)
        return [task.id for task in tasks]

    assert train(20)[:8] == train(8)


def test_a_prompt_that_a_suite_asks_is_passed_over(sources, workspaces, world, tmp_path):
    first = draw(world, "writing", (1, 0, 0), seed=23, accept=lambda task: True)[0]
    suite = tmp_path / "suite.toml"
    suite.write_text(f"[[queries]]\nprompt = {json.dumps(first.prompt)}\n")
    out = tmp_path / "records.jsonl"
    config = GenerateConfig(counts={"writing": (1, 0, 0)})
    generate(
        config, sources=sources, workspaces=workspaces, out=out, progress=Progress(), suites=[suite]
    )
    assert [record["prompt"] for record in read_jsonl(out)] != [first.prompt]


def test_a_program_that_fails_is_listed_and_nothing_is_written(sources, workspaces, tmp_path):
    copy = Path(shutil.copytree(sources, tmp_path / "sources"))
    tasks = copy / "tasks.toml"
    tasks.write_text(
        tasks.read_text().replace("print(write_file({{path}}, {{text}}))", "print(save({{path}}))")
    )
    out = tmp_path / "records.jsonl"
    config = GenerateConfig(counts={"writing": (2, 0, 0)})
    with pytest.raises(
        DataError, match=r"2 of 2 examples failed.*\n.*write_text-.*check_failed.*save"
    ):
        generate(config, sources=copy, workspaces=workspaces, out=out, progress=Progress())
    assert list(tmp_path.iterdir()) == [copy]


def test_too_few_prompts_for_a_quota_are_reported(world):
    with pytest.raises(DataError, match="too few different prompts"):
        draw(world, "direct", (100_000, 0, 0), seed=1, accept=lambda task: True)


@pytest.mark.parametrize("count", [2, 9])
def test_own_words_are_at_least_half_of_what_a_question_is_asked_with(world, count):
    own = tuple(f"stick number {number}?" for number in range(count))
    pen = Question(kind="term", slots={"term": "a pen"}, answer="Ink.", asked=own)
    cup = Question(kind="term", slots={"term": "a cup"}, answer="Tea.")
    small = World(replace(world.sources, questions=(pen, cup)), world.workspaces)
    tasks: list[Task] = []

    def accept(task: Task) -> bool:
        tasks.append(task)
        return True

    with pytest.raises(DataError, match="too few different prompts"):
        draw(small, "direct", (100_000,) * 3, seed=1, accept=accept)
    about = [task.prompt for task in tasks if task.exchanges[0].answer == "Ink."]
    assert {prompt for prompt in about if prompt in own} == set(own)
    for drawn in range(1, len(about) + 1):
        assert 2 * sum(prompt in own for prompt in about[:drawn]) >= drawn
    assert len(about) == 2 * count
    assert len(tasks) - len(about) > 2 * count


def test_an_unknown_category_is_named(world):
    with pytest.raises(DataError, match="unknown category 'dancing'"):
        draw(world, "dancing", (1, 0, 0), seed=1, accept=lambda task: True)


def test_an_unknown_key_of_the_configuration_is_refused():
    with pytest.raises(ValidationError, match="colour"):
        GenerateConfig.model_validate({"colour": "red"})


def test_the_default_composition_is_605_75_and_77():
    counts = GenerateConfig().counts.values()
    assert tuple(sum(column) for column in zip(*counts, strict=True)) == (605, 75, 77)
