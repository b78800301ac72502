"""A few records to train tiny models on, and what they are measured by."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from punie_train.mlx import mx, nn
from punie_train.progress import Progress
from punie_train.training.rows import Row

SYSTEM = "You are Punie. Act with one ```python block.\ntypecheck(path)\nread_file(path)"
FILES = ("app.py", "src/models.py", "lib/views.py", "tests/test_api.py", "tools/build.py")


def make_record(number: int) -> dict:
    file = FILES[number % len(FILES)]
    call = "typecheck" if number % 2 else "read_file"
    asked = "Check types in" if number % 2 else "Read"
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{asked} {file}" + "!" * (number % 7)},
        {"role": "assistant", "content": f'```python\nprint({call}("{file}"))\n```'},
    ]
    if number % 3 == 0:
        messages += [
            {"role": "user", "content": "```output\nNo errors.\n```"},
            {"role": "assistant", "content": f"{file} is fine."},
        ]
    return {"id": f"example-{number}", "messages": messages}


@pytest.fixture
def progress() -> Progress:
    return Progress(stream=io.StringIO())


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: 24 training records, 6 for validation, 6 for test."""
    folder = tmp_path_factory.mktemp("data")
    for name, numbers in (("train", range(24)), ("valid", range(24, 30)), ("test", range(30, 36))):
        lines = [json.dumps(make_record(number)) + "\n" for number in numbers]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture
def plain_loss() -> Callable[[Any, Sequence[Row]], mx.array]:
    """The weighted sum of losses by the whole model, row by row, with nothing shared, cached or left out."""

    def loss(model: Any, rows: Sequence[Row]) -> mx.array:
        total = mx.array(0.0)
        for row in rows:
            logits = model(mx.array([row.tokens[:-1]]))[0]
            losses = nn.losses.cross_entropy(logits, mx.array(row.tokens[1:]))
            weighted = zip(row.supervised, row.weights, strict=True)
            total = total + sum(weight * losses[at - 1] for at, weight in weighted)
        return total

    return loss
