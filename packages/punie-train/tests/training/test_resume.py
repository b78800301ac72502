"""A training killed at any step and started again ends with the weights of one that was not."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from punie_train.doctor import usable_cores
from punie_train.mlx import load_arrays, mx
from punie_train.progress import Progress
from punie_train.training import TrainConfig, train
from punie_train.training.cpu.products import available, has_bfloat16

CONFIG = {
    "iterations": 8,
    "num_layers": 2,
    "batch_size": 4,
    "save_every": 2,
    "evaluate_every": 3,
    "dropout": 0.1,
    "streams": 2,
}

KILLED_AT = """
import json, os, signal, sys
from pathlib import Path
from punie_train.progress import Progress, Task
from punie_train.training import TrainConfig, train
from punie_train.training.cpu.products import available

class Deadly(Task):
    pass

base, data, out, config, step = sys.argv[1:]
advance = Task.advance

def die(task, steps=1, **figures):
    advance(task, steps, **figures)
    if task.name == "train" and task.done >= int(step):
        os.kill(os.getpid(), signal.SIGKILL)

Task.advance = die
train(TrainConfig(**json.loads(config)), base=Path(base), data=Path(data), out=Path(out), progress=Progress())
"""


@pytest.mark.parametrize(
    ("method", "precision"),
    [
        ("lora", "auto"),  # by MLX, because of the dropout
        ("full", "float32"),
        pytest.param(
            "full",
            "float16",
            marks=pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)"),
        ),
        pytest.param(
            "full",
            "bfloat16",
            marks=pytest.mark.skipif(not has_bfloat16(), reason="needs a CPU with AVX512-BF16"),
        ),
    ],
)
@pytest.mark.parametrize("step", [1, 5])
def test_killed_training_goes_on_to_the_same_weights(
    step: int, method: str, precision: str, tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    config = {**CONFIG, "method": method, "precision": precision}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(
        TrainConfig.model_validate(config),
        base=tiny_llama,
        data=records,
        out=whole,
        progress=_quiet(),
    )
    arguments = [str(tiny_llama), str(records), str(killed), json.dumps(config), str(step)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, *arguments], check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not killed.exists()

    train(
        TrainConfig.model_validate(config),
        base=tiny_llama,
        data=records,
        out=killed,
        progress=_quiet(),
    )

    expected = load_arrays(whole / "adapters.safetensors")
    found = load_arrays(killed / "adapters.safetensors")
    assert expected.keys() == found.keys()
    assert all(mx.array_equal(expected[name], found[name]).item() for name in expected)
    assert _losses(whole) == _losses(killed)


@pytest.mark.parametrize("engine", ["mlx", "auto"])
def test_what_one_process_began_two_ranks_go_on_with(
    engine: str, tiny_llama: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**CONFIG, "dropout": 0, "streams": 1, "keep": "last", "precision": "float32"}
    config["engine"] = engine
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    told = TrainConfig.model_validate(config)
    train(told, base=tiny_llama, data=records, out=whole, progress=_quiet())
    arguments = [str(tiny_llama), str(records), str(killed), json.dumps(config), "5"]
    subprocess.run([sys.executable, "-c", KILLED_AT, *arguments], check=False, capture_output=True)
    assert not killed.exists()

    monkeypatch.setenv("RANKS", "2")
    train(told, base=tiny_llama, data=records, out=killed, progress=_quiet())

    expected = load_arrays(whole / "adapters.safetensors")
    found = load_arrays(killed / "adapters.safetensors")
    assert expected.keys() == found.keys()
    assert max(float(mx.max(mx.abs(expected[name] - found[name]))) for name in expected) < 1e-4
    assert [step for step, _ in _losses(killed)] == list(range(1, 9))


def test_a_checkpoint_of_another_configuration_is_not_used(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    arguments = [str(tiny_llama), str(records), str(out), json.dumps(CONFIG), "5"]
    subprocess.run([sys.executable, "-c", KILLED_AT, *arguments], check=False, capture_output=True)
    other = {**CONFIG, "learning_rate": 1e-4}

    said = _trained(other, base=tiny_llama, data=records, out=out)

    assert "going on after" not in said
    assert [step for step, _ in _losses(out)] == list(range(1, 9))


def test_a_checkpoint_of_another_base_with_the_same_configuration_is_not_used(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    other, out = tmp_path / "other", tmp_path / "adapter"
    shutil.copytree(tiny_llama, other)
    weights = load_arrays(tiny_llama / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    weights[name] = weights[name] + 0.01
    mx.save_safetensors(str(other / "model.safetensors"), weights)
    arguments = [str(other), str(records), str(out), json.dumps(CONFIG), "5"]
    subprocess.run([sys.executable, "-c", KILLED_AT, *arguments], check=False, capture_output=True)
    assert out.with_name("adapter.tmp").exists()

    said = _trained(CONFIG, base=tiny_llama, data=records, out=out)

    assert "going on after" not in said
    assert "starts anew" in said


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or usable_cores() < 2, reason="needs Linux and two cores"
)
def test_a_checkpoint_made_on_another_number_of_cores_is_not_used(
    tiny_llama: Path, records: Path, tmp_path: Path
) -> None:
    config = {**CONFIG, "dropout": 0, "streams": 0}
    on_one = "import os\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    out = tmp_path / "adapter"
    arguments = [str(tiny_llama), str(records), str(out), json.dumps(config), "5"]
    subprocess.run(
        [sys.executable, "-c", on_one + KILLED_AT, *arguments], check=False, capture_output=True
    )
    assert out.with_name("adapter.tmp").exists()

    said = _trained(config, base=tiny_llama, data=records, out=out)

    assert "going on after" not in said
    assert "number of cores; training starts anew" in said


def _trained(config: Mapping[str, object], *, base: Path, data: Path, out: Path) -> str:
    """Train, and return what was said about it."""
    stream = io.StringIO()
    settings = TrainConfig.model_validate(config)
    train(settings, base=base, data=data, out=out, progress=Progress(stream=stream))
    return stream.getvalue()


def _losses(folder: Path) -> list[tuple[int, float]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def _quiet() -> Progress:
    return Progress(stream=io.StringIO())
