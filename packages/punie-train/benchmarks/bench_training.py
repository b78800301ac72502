"""Training throughput beside `mlx_lm.lora`, as shipped and with MKL, and beside the machine's own limit.

The same model (SmolLM2-135M), rows, batch, layers, rank, steps and learning rate, the batch being phase
23's; every figure counts all tokens of the rows, as mlx-lm computes them, and all time between the first
and the last step, the frozen layers' first pass included. As shipped means without a preloaded BLAS; there
a single step is measured.

    python bench_training.py --json OUT [--rows 48] [--epochs 3]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

BATCH, LAYERS, RANK, RATE = 12, 8, 8, 2e-4
SYSTEM = (
    "You are Punie, a Python coding agent. To act, write one ```python block; its output comes back.\n"
    "typecheck(path) -> TypeCheckResult(success, error_count, errors[file, line, column, code, message])\n"
    "read_file(path) -> str\nwrite_file(path, content) -> str\nrun_command(command, args=None) -> str"
)
PLACES = ("src", "lib", "app", "core", "tools", "web")
NAMES = ("config", "models", "views", "auth", "cache", "jobs", "parser")


def main() -> int:
    """Run everything and write the rows; 0 when every bound holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--worker", choices=["punie", "mlx-lm"])
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.worker:
        arguments.json.write_text(json.dumps(work(arguments)))
        return 0
    with tempfile.TemporaryDirectory(prefix="punie-bench-") as temporary:
        folder = Path(temporary)
        make_data(folder, arguments.rows)
        steps = arguments.rows // BATCH * arguments.epochs
        ours = run_worker(folder, "punie", steps)
        with_mkl = run_worker(folder, "mlx-lm", steps)
        as_shipped = run_worker(folder, "mlx-lm", 1, PUNIE_BLAS="none")
    rows = [
        row("tokens/s beside mlx_lm.lora as shipped", ours["speed"], as_shipped["speed"], ">= 30"),
        row("tokens/s beside mlx_lm.lora with MKL", ours["speed"], with_mkl["speed"], ">= 3"),
        row("validation loss beside mlx_lm.lora's", ours["loss"], with_mkl["loss"], "<= 1.05"),
        row(
            "GFLOP/s of cached steps beside the GEMM bound", ours["gflops"], ours["bound"], ">= 0.6"
        ),
    ]
    arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(one["ok"] for one in rows) else 1


def row(name: str, measured: float, peer: float, bound: str) -> dict[str, Any]:
    """Return one result row."""
    ratio, (sign, limit) = measured / peer, bound.split()
    holds = ratio >= float(limit) if sign == ">=" else ratio <= float(limit)
    names = ("punie-train", "mlx", "mlx-lm")
    return {
        "name": name,
        "measured": round(measured, 3),
        "peer": round(peer, 3),
        "ratio": round(ratio, 3),
        "bound": bound,
        "ok": holds,
        "versions": {name: version(name) for name in names},
    }


def run_worker(folder: Path, trainer: str, steps: int, **environment: str) -> dict[str, float]:
    """Train in a process of its own, so that each has its own BLAS."""
    out = folder / "result.json"
    command = [sys.executable, __file__, "--json", str(out), "--worker", trainer]
    subprocess.run(
        [*command, "--folder", str(folder), "--steps", str(steps)],
        check=True,
        env={**os.environ, **environment},
        stdout=sys.stderr,
    )
    return json.loads(out.read_text())


def make_data(folder: Path, rows: int) -> None:
    """Write records of the usual length, half of them with a tool's output."""
    for name, count, offset in (("train", rows, 0), ("valid", 8, rows)):
        records = [make_record(offset + number) for number in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


def make_record(number: int) -> dict[str, Any]:
    """Return one record; the numbers make every one different."""
    path = f"{PLACES[number % 6]}/{NAMES[number % 7]}_{number}.py"
    code = f'result = typecheck("{path}")\nprint(f"{{result.error_count}} errors")'
    found = "".join(
        f"{path}:{7 * line + number}: invalid-assignment\n" for line in range(number % 5)
    )
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Are there type errors in {path}?"},
        {"role": "assistant", "content": f"```python\n{code}\n```"},
    ]
    if number % 2:
        messages += [
            {"role": "user", "content": f"```output\n{number % 5} errors\n{found}```"},
            {"role": "assistant", "content": f"{path} has {number % 5} type errors."},
        ]
    return {"id": str(number), "messages": messages}


def work(arguments: argparse.Namespace) -> dict[str, float]:
    """Train with one of the trainers and return its speed, its loss and, for ours, its share of the bound."""
    from punie_train.models import prepare_base, resolve_base
    from punie_train.progress import Progress

    folder: Path = arguments.folder
    base = folder / "base"
    if not base.exists():
        prepare_base(resolve_base("smollm2"), out=base, progress=Progress(stream=io.StringIO()))
    if arguments.worker == "punie":
        return train_ours(folder, base, arguments.steps)
    return train_stock(folder, base, arguments.steps)


def configuration(steps: int) -> Any:
    """Return what both trainers are told."""
    from punie_train.training import TrainConfig

    return TrainConfig(
        iterations=steps,
        num_layers=LAYERS,
        rank=RANK,
        batch_size=BATCH,
        learning_rate=RATE,
        evaluate_every=0,
        keep="last",
        clip_norm=0,  # mlx-lm does not clip
    )


def train_ours(folder: Path, base: Path, steps: int) -> dict[str, float]:
    """Train with this package's loop."""
    from punie_train.doctor import measure_gflops
    from punie_train.progress import Progress
    from punie_train.training import train

    out = folder / "ours"
    bound = measure_gflops()
    train(configuration(steps), base=base, data=folder, out=out, progress=Progress())
    summary = json.loads((out / "training.json").read_text())
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    seconds = sum(line["seconds"] for line in lines if "seconds" in line)
    flops = operations(folder, base, summary)
    return {
        "speed": summary["tokens_per_second"],
        "loss": summary["validation_loss"],
        "gflops": flops / seconds / 1e9,
        "bound": max(bound, measure_gflops()),
    }


def operations(folder: Path, base: Path, summary: dict[str, Any]) -> float:
    """Return the multiplications and additions the steps need: no padding, shared tokens once a step.

    A trained layer's matrices are used once forward and once backward (LoRA needs no gradient of them),
    the output layer once each way at supervised positions.
    """
    from punie_train.models.loading import load_base
    from punie_train.training.rows import read_rows

    config = json.loads((base / "config.json").read_text())
    width, inner = config["hidden_size"], config["intermediate_size"]
    narrow = width * config["num_key_value_heads"] // config["num_attention_heads"]
    layer = 2 * (2 * width * width + 2 * width * narrow + 3 * width * inner)
    rows = read_rows(folder / "train.jsonl", load_base(base).tokenizer, 4096)
    shared, steps = summary["shared_tokens"], summary["steps"]
    epochs = steps * BATCH / len(rows)
    own = sum(len(one.tokens) - shared for one in rows) * epochs
    supervised = sum(len(one.supervised) for one in rows) * epochs
    tokens = own + shared * steps
    return 2 * LAYERS * layer * tokens + 2 * 2 * width * config["vocab_size"] * supervised


def train_stock(folder: Path, base: Path, steps: int) -> dict[str, float]:
    """Train with mlx-lm's loop, without its validation, and measure its adapter as ours is."""
    from mlx import optimizers
    from mlx_lm.tuner.datasets import CacheDataset, ChatDataset
    from mlx_lm.tuner.trainer import TrainingArgs, train

    from punie_train.models.loading import load_base
    from punie_train.training.adapters import make_trainable
    from punie_train.training.rows import read_rows
    from punie_train.training.stock import learning_schedule

    config = configuration(steps)
    loaded = load_base(base)
    make_trainable(loaded.model, config)
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    records = [{"messages": record["messages"]} for record in records]
    started = time.monotonic()
    train(
        model=loaded.model,
        args=TrainingArgs(
            batch_size=BATCH,
            iters=steps,
            steps_per_report=1,
            adapter_file=str(folder / "stock.safetensors"),
        ),
        # As in our loop; without it, Adam's first steps are three times as long.
        optimizer=optimizers.Adam(
            learning_rate=learning_schedule(config, steps), bias_correction=True
        ),
        train_dataset=CacheDataset(ChatDataset(records, loaded.tokenizer, mask_prompt=True)),
    )
    seconds = time.monotonic() - started
    rows = read_rows(folder / "train.jsonl", loaded.tokenizer, 4096)
    mean = sum(len(one.tokens) for one in rows) / len(rows)
    loss = held_out_loss(loaded.model, folder, loaded.tokenizer) if steps > 1 else 0.0
    return {"speed": steps * BATCH * mean / seconds, "loss": loss}


def held_out_loss(model: Any, folder: Path, tokenizer: Any) -> float:
    """Return the mean loss of the validation rows' supervised tokens, by the plain way."""
    from punie_train.mlx import mx, nn, number
    from punie_train.training.rows import read_rows

    model.eval()
    total, count = 0.0, 0
    for one in read_rows(folder / "valid.jsonl", tokenizer, 4096):
        logits = model(mx.array([one.tokens[:-1]]))[0]
        losses = nn.losses.cross_entropy(logits, mx.array(one.tokens[1:]))
        total += sum(number(losses[at - 1]) for at in one.supervised)
        count += len(one.supervised)
    return total / count


if __name__ == "__main__":
    sys.exit(main())
