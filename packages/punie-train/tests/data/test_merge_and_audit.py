"""What the merge writes, and what it refuses."""

import copy
import json
from pathlib import Path

import pytest

from punie_train.artefacts import read_jsonl, write_jsonl
from punie_train.data import (
    GenerateConfig,
    MergeConfig,
    audit,
    contract_for,
    merge,
    render_audit,
)
from punie_train.data.records import contract_problems, user_prompts
from punie_train.errors import DataError
from punie_train.progress import Progress


@pytest.fixture
def records(generated):
    return list(read_jsonl(generated))


def merged(records, tmp_path: Path, config: MergeConfig | None = None, **more) -> Path:
    source = tmp_path / "records.jsonl"
    write_jsonl(source, records)
    out = tmp_path / "merged"
    merge(config or MergeConfig(), inputs=[source], out=out, progress=Progress(), **more)
    return out


def refusal(records, tmp_path, config=None, **more) -> str:
    with pytest.raises(DataError) as caught:
        merged(records, tmp_path, config, **more)
    assert not (tmp_path / "merged").exists()
    return str(caught.value)


def with_program(records):
    return next(index for index, record in enumerate(records) if record["intent"] == "check")


def test_the_merge_writes_the_splits_and_a_clean_audit(records, tmp_path):
    out = merged(records, tmp_path, MergeConfig(sizes=(35, 5, 5)))
    rows = {
        name: sum(1 for _ in read_jsonl(out / f"{name}.jsonl"))
        for name in ("train", "valid", "test")
    }
    assert rows == {"train": 35, "valid": 5, "test": 5}
    assert json.loads((out / "audit.json").read_text())["violations"] == []


def test_the_audit_of_what_was_merged_says_the_same_again(records, tmp_path):
    out = merged(records, tmp_path)
    again = audit(out)
    assert again == json.loads((out / "audit.json").read_text())
    assert "no violations" in render_audit(again)


def test_the_audit_counts_tools_categories_and_licences(records, tmp_path):
    result = audit(merged(records, tmp_path))
    assert result["categories"]["ty_fix"] == {"train": 4, "valid": 1, "test": 1}
    assert result["tools"]["none"] == 8
    assert result["licences"] == {"MIT": len(records)}


def test_other_sizes_than_asked_for_are_refused(records, tmp_path):
    assert "sizes are 35/5/5, not 1/2/3" in refusal(records, tmp_path, MergeConfig(sizes=(1, 2, 3)))


def test_a_repeated_prompt_is_refused(records, tmp_path):
    again = copy.deepcopy(records[0])
    again["id"] = "again"
    assert "again: the prompt of" in refusal([*records, again], tmp_path)


def test_a_prompt_of_a_suite_is_refused(records, tmp_path):
    suite = tmp_path / "suite.toml"
    suite.write_text(f"[[queries]]\nprompt = {json.dumps(records[0]['prompt'])}\n")
    assert "gives away the query" in refusal(records, tmp_path, suites=[suite])


def test_a_later_turn_of_a_dialogue_that_a_suite_asks_is_refused(records, tmp_path):
    dialogue = next(record for record in records if record["category"] == "dialogue")
    later = user_prompts(dialogue)[-1]
    assert later != dialogue["prompt"]
    suite = tmp_path / "suite.toml"
    suite.write_text(f"[[queries]]\nprompt = {json.dumps(later)}\n")
    said = refusal(records, tmp_path, suites=[suite])
    assert f"{dialogue['id']}: {later!r} gives away the query" in said


def test_a_program_that_is_not_the_one_that_was_run_is_refused(records, tmp_path):
    record = records[with_program(records)]
    record["messages"][2]["content"] = record["messages"][2]["content"].replace(
        "typecheck(", "typecheck( "
    )
    assert "program 1 is not the one that was run" in refusal(records, tmp_path)


def test_a_result_that_was_made_up_is_refused(records, tmp_path):
    records[with_program(records)]["messages"][3]["content"] = "```output\nclean: 0 errors!\n```"
    assert "program 1 is not followed by its own result" in refusal(records, tmp_path)


def test_a_call_of_a_tool_that_does_not_exist_is_refused(records, tmp_path):
    record = records[with_program(records)]
    for place in (record["messages"][2], record["trace"][0]):
        key = "content" if "content" in place else "code"
        place[key] = place[key].replace("typecheck(", "mypy_check(")
    assert "calls mypy_check(), which is no tool" in refusal(records, tmp_path)


def test_what_python_or_the_program_itself_defines_is_no_tool(records):
    record = records[with_program(records)]
    code = (
        "from collections import Counter\n"
        "class Kept:\n    pass\n"
        "def each(make):\n    return [make(a) for a, b in zip([1], [2]) if isinstance(b, int)]\n"
        "print(each(str), Counter([1]), Kept() is None, any([typecheck('.').success]))"
    )
    contract = contract_for(GenerateConfig())
    record["messages"][2]["content"] = contract.format_call(code)
    record["trace"][0]["code"] = code
    assert contract_problems(record, contract) == []


@pytest.mark.parametrize("change", [{"version": 0}, {"status": "done"}, {"error": "?"}])
def test_a_trace_that_cannot_be_read_is_a_violation(records, tmp_path, change):
    record = records[with_program(records)]
    record["trace"][0] |= change
    assert f"{record['id']}: its trace cannot be read" in refusal(records, tmp_path)


def test_a_program_that_is_not_python_is_a_violation(records, tmp_path):
    record = records[with_program(records)]
    record["messages"][2]["content"] = "```python\nprint(\n```"
    record["trace"][0]["code"] = "print("
    assert f"{record['id']}: a program is not Python" in refusal(records, tmp_path)


def test_another_system_prompt_is_refused(records, tmp_path):
    records[0]["messages"][0]["content"] = "You are a pirate."
    assert "the system prompt is not the contract's" in refusal(records, tmp_path)


def test_a_conversation_that_ends_with_a_program_is_refused(records, tmp_path):
    record = records[with_program(records)]
    record["messages"] = record["messages"][:3]
    assert "the last message is not a plain answer" in refusal(records, tmp_path)


def test_a_record_of_another_shape_is_named_with_its_line(records, tmp_path):
    records[2]["colour"] = "red"
    assert "records.jsonl:3: record: Additional properties are not allowed ('colour'" in refusal(
        records, tmp_path
    )


def test_a_prompt_without_content_is_refused(records, tmp_path):
    records[0]["prompt"] = records[0]["messages"][1]["content"] = "???"
    assert "records.jsonl:1: prompt" in refusal(records, tmp_path)


def test_a_line_that_is_not_json_is_named(tmp_path):
    source = tmp_path / "records.jsonl"
    source.write_text('{"id": \n')
    with pytest.raises(DataError, match=r"records\.jsonl:1: not valid JSON"):
        merge(MergeConfig(), inputs=[source], out=tmp_path / "out", progress=Progress())


def test_a_row_in_the_wrong_split_is_a_violation(records, tmp_path):
    out = merged(records, tmp_path)
    test = list(read_jsonl(out / "test.jsonl"))
    train = list(read_jsonl(out / "train.jsonl"))
    write_jsonl(out / "train.jsonl", [*train, test[0]])
    write_jsonl(out / "test.jsonl", test[1:])
    violations = audit(out)["violations"]
    assert f"{test[0]['id']}: is in train but belongs to test" in violations


def test_a_near_duplicate_is_a_violation(records, tmp_path):
    index = with_program(records)
    twin = copy.deepcopy(records[index])
    twin["id"] = "twin"
    twin["prompt"] = twin["messages"][1]["content"] = twin["prompt"] + " s"
    out = merged(records, tmp_path)
    rows = list(read_jsonl(out / "train.jsonl"))
    write_jsonl(out / "train.jsonl", [*rows, twin])
    assert any("near-duplicates" in violation for violation in audit(out)["violations"])
