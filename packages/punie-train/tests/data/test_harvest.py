"""Candidates from accepted traces."""

import copy
import json
from pathlib import Path

import pytest

from punie_train.artefacts import read_jsonl
from punie_train.data import GenerateConfig, contract_for, harvest
from punie_train.data.records import contract_problems, shape_problems
from punie_train.errors import DataError


@pytest.fixture
def trace(generated):
    """A trace as the agent stores one, made from an executed record."""
    record = next(record for record in read_jsonl(generated) if record["intent"] == "check")
    return {
        "id": "t1",
        "version": 1,
        "model": "some-model",
        "prompt": record["prompt"],
        "messages": [
            {"role": "system", "content": "A long prompt of another contract."},
            *record["messages"][1:],
        ],
        "runs": record["trace"],
        "outcome": {"verdict": "accepted"},
    }


def harvested(tmp_path: Path, *traces) -> tuple[str, list[dict]]:
    file = tmp_path / "traces.jsonl"
    file.write_text("".join(json.dumps(trace) + "\n" for trace in traces))
    out = tmp_path / "candidates.jsonl"
    return harvest([file], out=out), list(read_jsonl(out))


def test_an_accepted_trace_becomes_a_record_under_the_trained_contract(trace, tmp_path):
    summary, records = harvested(tmp_path, trace)
    assert summary.startswith("1 candidates written")
    contract = contract_for(GenerateConfig())
    assert shape_problems(records[0]) == []
    assert contract_problems(records[0], contract) == []
    assert records[0]["source"] == "trace of some-model"
    assert records[0]["licence"] == "private"


def test_what_was_said_around_the_code_is_left_out(trace, tmp_path):
    trace["messages"][2]["content"] = "Let me look.\n\n" + trace["messages"][2]["content"]
    _, records = harvested(tmp_path, trace)
    assert records[0]["messages"][2]["content"].startswith("```python\n")


def test_only_the_last_turn_is_taken(trace, tmp_path):
    earlier = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello!"}]
    trace["messages"] = [trace["messages"][0], *earlier, *trace["messages"][1:]]
    _, records = harvested(tmp_path, trace)
    assert records[0]["messages"][1]["content"] == trace["prompt"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outcome": {"verdict": "rejected"}}, "the turn was rejected, not accepted"),
        ({"runs": []}, "its last program did not end well"),
        ({"prompt": "Something else"}, "its prompt is not among its messages"),
        ({"outcome": None}, "'NoneType' object is not subscriptable"),
    ],
)
def test_what_cannot_be_an_example_is_refused_with_the_reason(trace, tmp_path, change, reason):
    summary, records = harvested(tmp_path, {**trace, **change})
    assert records == []
    assert reason in summary


def test_a_trace_with_other_tools_is_refused(trace, tmp_path):
    trace["runs"][0]["calls"][0]["name"] = "git_status"
    summary, _ = harvested(tmp_path, trace)
    assert "it calls git_status, which this contract does not have" in summary


def test_the_same_prompt_is_harvested_once(trace, tmp_path):
    second = copy.deepcopy(trace) | {"id": "t2"}
    summary, records = harvested(tmp_path, trace, second)
    assert len(records) == 1
    assert "the same prompt was harvested already" in summary


def test_a_trace_whose_first_program_was_not_python_is_refused_and_the_others_are_taken(
    trace, tmp_path
):
    wrong = copy.deepcopy(trace)
    code = "print((typecheck('.')"
    found = {"line": 1, "column": 6, "code": "invalid-syntax", "message": "never closed"}
    unread = {**wrong["runs"][0], "code": code, "status": "check_failed", "calls": []}
    unread |= {"stdout": "", "diagnostics": [{**found, "hint": None}]}
    said = {"role": "assistant", "content": f"```python\n{code}\n```"}
    wrong["messages"][2:2] = [said, {"role": "user", "content": "never closed"}]
    wrong["runs"] = [unread, *wrong["runs"]]
    summary, records = harvested(tmp_path, wrong, trace)
    assert len(records) == 1
    assert "program 1 does not type check" in summary


@pytest.mark.parametrize("change", [{"runs": ["?"]}, {"outcome": "accepted"}, {"messages": [3]}])
def test_what_is_no_trace_is_refused(trace, tmp_path, change):
    summary, records = harvested(tmp_path, {**trace, **change})
    assert (len(records), "1 traces refused" in summary) == (0, True)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        harvest([tmp_path / "none.jsonl"], out=tmp_path / "out.jsonl")
