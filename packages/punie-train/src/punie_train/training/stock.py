"""`mlx_lm.lora` as shipped, on the same records, for comparison.

What it does otherwise is kept: one pad token a row is learned, batches never change, only the last
assistant turn can be supervised alone, checkpoints hold no optimizer. Its learning-rate schedule is given
the same warm-up and cosine, and its optimizer the same weight decay.

Covered: training and the adapter folder. Not covered: exact resume, shared prefixes, ranks; what is asked of
those is refused.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlx_lm.tuner.callbacks import TrainingCallback

from punie_train.artefacts import read_jsonl, whole_folder, write_json
from punie_train.errors import TrainingError
from punie_train.mlx import load_arrays, mx
from punie_train.models.loading import LoadedModel, load_base
from punie_train.progress import Progress
from punie_train.training.adapters import make_trainable, write_adapter
from punie_train.training.batches import steps_per_epoch
from punie_train.training.config import TrainConfig
from punie_train.training.distributed import SUMMARY, wanted_ranks
from punie_train.training.memory import peak_gigabytes
from punie_train.training.metrics import Metrics

REPORT_EVERY = 10
LEFT_OUT = ("tail_weight", "whole_ends", "whole_answers", "keep", "save_every", "cache_mb")
"""Options of phases' own recipes without a counterpart there. A recipe can be compared by naming the other
trainer alone, so these are said to be left out and not refused."""
REFUSED = (
    "accumulate", "clip_norm", "engine", "patience", "precision", "skip_below", "streams", "track",
)  # fmt: skip
"""Other options without a counterpart there."""
AS_IT_IS = {"clip_norm": 0.0, "engine": "mlx"}
"""What some of them may be told, because it is what happens there."""


def train_with_mlx_lm(
    config: TrainConfig, *, base: Path, data: Path, out: Path, progress: Progress
) -> None:
    """Train an adapter with mlx-lm's own loop and write its folder, whole or not at all.

    Args:
        config: how; what has no counterpart there is named in `LEFT_OUT` and `REFUSED`.
        base: the base model's folder.
        data: a folder with `train.jsonl` and `valid.jsonl`.
        out: the adapter folder to make.
        progress: where to report.

    Raises:
        TrainingError: the configuration or the environment asks for what is not done there.
    """
    from mlx_lm.tuner.datasets import CacheDataset
    from mlx_lm.tuner.trainer import TrainingArgs
    from mlx_lm.tuner.trainer import train as stock_train

    _refuse(config)
    left_out = [f"{name} = {getattr(config, name)!r}" for name in _told(config, LEFT_OUT)]
    if left_out:
        progress.note(f"mlx-lm's own trainer knows no {', no '.join(left_out)}; left out")
    loaded = load_base(base)
    train_set, valid_set = (_dataset(data / f"{name}.jsonl", loaded) for name in ("train", "valid"))
    epoch = steps_per_epoch(len(train_set), config.batch_size)
    steps = config.iterations or math.ceil((config.epochs or 1) * epoch)
    layers = make_trainable(loaded.model, config)
    np.random.seed(config.seed)  # mlx-lm draws the order of batches from it
    started = time.monotonic()
    with whole_folder(out) as folder, progress.task("mlx-lm", steps) as task:
        metrics = Metrics(folder)
        stock_train(
            model=loaded.model,
            args=TrainingArgs(
                batch_size=config.batch_size,
                iters=steps,
                val_batches=-1,
                steps_per_report=REPORT_EVERY,
                steps_per_eval=config.evaluate_every or steps,
                steps_per_save=steps + 1,
                max_seq_length=config.max_tokens,
                adapter_file=str(folder / "adapters.safetensors"),
            ),
            optimizer=_optimizer(config, steps),
            train_dataset=CacheDataset(train_set),
            val_dataset=CacheDataset(valid_set),
            training_callback=_Callback(metrics, task),
        )
        weights = load_arrays(folder / "adapters.safetensors")
        mx.eval(weights)
        write_adapter(folder, loaded.model, config, layers, weights)
        write_json(
            folder / SUMMARY,
            {
                "config": config.model_dump(mode="json"),
                "steps": steps,
                "rows": len(train_set),
                "seconds": time.monotonic() - started,
                "peak_memory_gb": peak_gigabytes(),
            },
        )


def _told(config: TrainConfig, names: Sequence[str]) -> list[str]:
    """Return those of some options that are not at their defaults."""
    fields = TrainConfig.model_fields
    return [name for name in names if getattr(config, name) != fields[name].default]


def _refuse(config: TrainConfig) -> None:
    told = [name for name in _told(config, REFUSED) if getattr(config, name) != AS_IT_IS.get(name)]
    ranks, hosts = wanted_ranks()
    told += ["HOSTS"] if hosts else []
    told += ["RANKS"] if ranks > 1 else []
    if told:
        raise TrainingError(
            f'trainer = "mlx-lm" in [train] does not know {", ".join(told)}; leave '
            f'{"it" if len(told) == 1 else "them"} out, or take trainer = "punie".'
        )


def _optimizer(config: TrainConfig, steps: int) -> Any:
    """Return what mlx-lm calls `adam`, or `adamw` where weights decay."""
    from mlx import optimizers

    schedule, betas = learning_schedule(config, steps), [0.9, config.beta2]
    if config.weight_decay:
        return optimizers.AdamW(schedule, betas=betas, weight_decay=config.weight_decay)
    return optimizers.Adam(schedule, betas=betas)


def _dataset(path: Path, loaded: LoadedModel) -> Any:
    from mlx_lm.tuner.datasets import ChatDataset

    # Names in a record's `tools` are ours; mlx-lm would hand them to the chat template.
    records = [{"messages": record["messages"]} for record in read_jsonl(path)]
    return ChatDataset(records, loaded.tokenizer, mask_prompt=True)


def learning_schedule(config: TrainConfig, steps: int) -> Any:
    """Return mlx-lm's form of the warm-up and cosine."""
    from mlx_lm.tuner.utils import build_schedule

    warm = round(config.warmup * steps)
    low = config.learning_rate * config.final_rate
    arguments = [config.learning_rate, max(steps - warm, 1), low]
    return build_schedule({"name": "cosine_decay", "arguments": arguments, "warmup": warm})


class _Callback(TrainingCallback):
    """Passes mlx-lm's measurements on."""

    def __init__(self, metrics: Metrics, task: Any) -> None:
        self.metrics, self.task, self.done = metrics, task, 0

    def on_train_loss_report(self, train_info: dict[str, float]) -> None:
        step = int(train_info["iteration"])
        self.metrics.write(
            step,
            loss=train_info["train_loss"],
            learning_rate=train_info["learning_rate"],
            tokens_per_second=train_info["tokens_per_second"],
        )
        self.task.advance(
            step - self.done, loss=train_info["train_loss"], tok_s=train_info["tokens_per_second"]
        )
        self.done = step

    def on_val_loss_report(self, val_info: dict[str, float]) -> None:
        self.metrics.write(int(val_info["iteration"]), validation_loss=val_info["val_loss"])
