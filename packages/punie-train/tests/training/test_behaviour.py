"""Checkpoints are chosen by what the model does when its programs are run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from punie_agent.contract import Contract, standard_functions
from punie_sandbox import Sandbox
from punie_tools import LocalHost, Toolbox
from punie_train.progress import Progress
from punie_train.training import TrainConfig, train
from punie_train.training.behaviour import _judge

CODE = 'text = read_file("notes.txt")\nprint(text.upper())'


@pytest.fixture
def acting(tmp_path: Path) -> dict[str, Any]:
    """A record whose program was really run on a real file."""
    (tmp_path / "notes.txt").write_text("hello")
    functions = standard_functions(Toolbox(LocalHost(tmp_path)), ["read_file"])
    contract = Contract(functions, style="brief")

    async def run() -> dict[str, Any]:
        async with Sandbox(functions) as sandbox:
            return (await sandbox.run(CODE)).to_json()

    messages = [
        {"role": "system", "content": contract.system_prompt},
        {"role": "user", "content": "Shout notes.txt"},
        {"role": "assistant", "content": contract.format_call(CODE)},
    ]
    return {
        "id": "a",
        "category": "reading",
        "tools": ["read_file"],
        "messages": messages,
        "trace": [asyncio.run(run())],
    }


@pytest.fixture
def talking(acting: dict[str, Any]) -> dict[str, Any]:
    answer = {"role": "assistant", "content": "A list."}
    return {**acting, "messages": [*acting["messages"][:2], answer], "trace": []}


def judged(record: dict[str, Any], reply: str) -> bool:
    return asyncio.run(_judge([record], [reply]))[0]


@pytest.mark.parametrize(
    ("code", "right"),
    [
        (CODE, True),
        ('print(read_file(path="notes.txt").upper())', True),
        ('print(read_file("notes.txt"))', False),
        ('print(read_file("other.txt").upper())', False),
        ('print("HELLO")', False),
        ('print(read_file("notes.txt").uper())', False),
        ("print(", False),
    ],
)
def test_a_program_is_right_when_its_calls_and_its_output_are(
    acting: dict[str, Any], code: str, right: bool
) -> None:
    assert judged(acting, f"```python\n{code}\n```") is right


def test_words_are_wrong_where_action_was_asked_and_the_other_way_round(
    acting: dict[str, Any], talking: dict[str, Any]
) -> None:
    assert not judged(acting, "It says hello.")
    assert judged(talking, "A mutable sequence.")
    assert not judged(talking, f"```python\n{CODE}\n```")
    assert not judged(talking, "  ")


def test_training_measures_behaviour_and_keeps_the_best(
    tiny_llama: Path,
    acting: dict[str, Any],
    talking: dict[str, Any],
    tmp_path: Path,
    progress: Progress,
) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in (acting, talking))
    for name in ("train", "valid"):
        (tmp_path / f"{name}.jsonl").write_text(lines)
    config = TrainConfig(iterations=2, num_layers=1, keep="behaviour", evaluate_every=1)
    train(config, base=tiny_llama, data=tmp_path, out=tmp_path / "adapter", progress=progress)
    figures = [
        json.loads(line) for line in (tmp_path / "adapter/metrics.jsonl").read_text().splitlines()
    ]
    assert [0 <= one["validation_right"] <= 1 for one in figures if "validation_right" in one] == [
        True
    ] * 2
    assert (
        json.loads((tmp_path / "adapter/training.json").read_text())["validation_right"] is not None
    )
