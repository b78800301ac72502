"""Training: from records to an adapter folder, resumable at any step.

Each step: a batch of rows, split over ranks and cores; the summed loss of supervised tokens and its gradient,
divided by the number of those tokens over all ranks; AdamW with warm-up and a cosine. An engine
(`punie_train.training.engine`) computes it. Between steps: validation loss, checkpoints, metrics.

Covered: LoRA, DoRA and full fine-tuning of the last layers, one process or several. Not covered: model
parallelism.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from punie_train.artefacts import digest_file, digest_large_file, whole_folder, write_json
from punie_train.doctor import usable_cores
from punie_train.errors import TrainingError
from punie_train.mlx import BLAS, ON_CPU, flat, load_arrays, mx
from punie_train.models.loading import LoadedModel, load_base
from punie_train.progress import Progress
from punie_train.training.adapters import make_trainable, write_adapter
from punie_train.training.batches import BUCKET_BATCHES, steps_per_epoch, training_batches
from punie_train.training.behaviour import Behaviour
from punie_train.training.checkpoint import FILE, Checkpoint, read_checkpoint, write_checkpoint
from punie_train.training.config import TrainConfig
from punie_train.training.distributed import SUMMARY, Ranks, launch, this_launch, wanted_ranks
from punie_train.training.ends import stop_at_known_answers, stop_at_known_ends
from punie_train.training.engine import Job, make_engine
from punie_train.training.memory import peak_gigabytes
from punie_train.training.metrics import Metrics
from punie_train.training.rows import Row, read_rows, shared_prefix

BEST = "best.safetensors"
CACHE_BYTES = 256 << 20
"""Freed arrays MLX may keep for reuse."""


def train(config: TrainConfig, *, base: Path, data: Path, out: Path, progress: Progress) -> None:
    """Train an adapter and write its folder, whole or not at all; go on from the last checkpoint.

    Args:
        config: how.
        base: the base model's folder.
        data: a folder with `train.jsonl` and `valid.jsonl` of records.
        out: the adapter folder to make.
        progress: where to report.

    Raises:
        DataError: a record cannot be trained on.
        ModelError: the base cannot be loaded.
        TrainingError: the model is not covered, or the loss became infinite.
    """
    if config.trainer == "mlx-lm":
        from punie_train.training.stock import train_with_mlx_lm

        train_with_mlx_lm(config, base=base, data=data, out=out, progress=progress)
        return
    ranks, hosts = wanted_ranks()
    if hosts or ranks > 1:
        launch(config, ranks=ranks, hosts=hosts, base=base, data=data, out=out, progress=progress)
        return
    mx.set_cache_limit(CACHE_BYTES)
    loaded = load_base(base)
    rows = read_rows(
        data / "train.jsonl",
        loaded.tokenizer,
        config.max_tokens,
        tail_weight=config.tail_weight,
    )
    if config.whole_ends:
        rows = stop_at_known_ends(rows, config.whole_ends)
    if config.whole_answers:
        rows = stop_at_known_answers(rows, config.whole_answers)
    valid = read_rows(data / "valid.jsonl", loaded.tokenizer, config.max_tokens)
    digest = _run_digest(config, base, data)
    with ExitStack() as stack:
        if mx.distributed.init().rank() == 0:
            folder = stack.enter_context(whole_folder(out, keep=True))
        else:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="punie-rank-")))
        judge = config.keep == "behaviour" and mx.distributed.init().rank() == 0
        behaviour = Behaviour(data / "valid.jsonl") if judge else None
        _Training(config, loaded, rows, valid, folder, digest, behaviour, progress).run()


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return the rate of a step counted from one: a linear rise, then a cosine to `final_rate`."""
    warm = round(config.warmup * steps)
    if step <= warm:
        return config.learning_rate * step / warm
    along = (step - warm) / max(steps - warm, 1)
    low = config.final_rate
    return config.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * along)) / 2)


def _run_digest(config: TrainConfig, base: Path, data: Path) -> str:
    parts = {
        "config": config.model_dump(mode="json"),
        "base": (base / "config.json").read_text(encoding="utf-8"),
        "weights": {path.name: digest_large_file(path) for path in base.glob("*.safetensors")},
        "train": digest_file(data / "train.jsonl"),
        "valid": digest_file(data / "valid.jsonl"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _cores(config: TrainConfig, engine: str) -> int:
    """Return how many cores decide the order in which an engine adds, of which the last bits are made.

    They are this machine's, not a rank's: what one process began, two ranks may go on with.
    """
    if engine.startswith("cpu"):
        from punie_train.training.cpu.engine import MOST_CORES

        return config.streams or min(usable_cores(), MOST_CORES)
    return usable_cores() if ON_CPU else 1


@dataclass
class _Figures:
    """What is measured over the whole run."""

    loss: float = 0.0
    supervised: int = 0
    tokens: int = 0
    seconds: float = 0.0


class _Training:
    def __init__(
        self,
        config: TrainConfig,
        loaded: LoadedModel,
        rows: Sequence[Row],
        valid: Sequence[Row],
        folder: Path,
        digest: str,
        behaviour: Behaviour | None,
        progress: Progress,
    ) -> None:
        self.config, self.loaded, self.rows, self.valid = config, loaded, rows, valid
        self.folder, self.progress = folder, progress
        self.behaviour = behaviour
        self.ranks = Ranks()
        self.layers = make_trainable(loaded.model, config)
        trainable = flat(loaded.model.trainable_parameters())
        self.trainable = sum(value.size for value in trainable.values())
        together = [*rows, *valid]
        shared = rows[0].tokens[: shared_prefix(together)]
        self.shared = len(shared)
        self.engine = make_engine(Job(config, loaded, self.layers, together, shared, self.ranks))
        self.digest = f"{digest}-{self.engine.name}-{_cores(config, self.engine.name)}"
        self.lengths = [len(row.tokens) for row in rows]
        size = steps_per_epoch(len(rows), config.batch_size)
        self.steps = config.iterations or math.ceil((config.epochs or 1) * size)
        self.best = (0.0, math.inf)
        self.best_step = 0
        self.total = _Figures()

    def run(self) -> None:
        try:
            first = self._resume()
            metrics = Metrics(self.folder, first, self.config.track)
            self._announce(first)
            started = time.monotonic()
            mine = self.ranks.mine(range(len(self.rows))) + self._valid_rows()
            self.engine.prepare(mine, self.progress)
            self.total.seconds += time.monotonic() - started
            last = self._steps(first, metrics)
            metrics.close()
            self._finish(last)
        finally:
            self.engine.close()

    def _announce(self, first: int) -> None:
        self.progress.note(
            f"{len(self.rows)} rows, {self.steps} steps, {self.layers} layers, {self.trainable / 1e6:.2f}M "
            f"trainable; {self.shared} tokens shared by all rows, engine {self.engine.name}, BLAS {BLAS.name}"
            + (f"; going on after step {first}" if first else "")
        )

    def _steps(self, first: int, metrics: Metrics) -> int:
        step = first
        size, seed = self.config.batch_size, self.config.seed
        bucket = BUCKET_BATCHES if self.engine.pads else 1
        batches = training_batches(self.lengths, size, seed, first + 1, self.steps, bucket)
        with self.progress.task("train", self.steps) as task:
            task.go_on_after(first)
            for step, batch in batches:
                figures = self._step(step, batch)
                task.advance(
                    loss=figures["loss"], tok_s=figures["tokens_per_second"], gb=peak_gigabytes()
                )
                metrics.write(step, **figures)
                if self._measures(step) and self._stop_early(step, metrics):
                    break
                if step % self.config.save_every == 0 and step < self.steps:
                    self._save(step)
        return step

    def _step(self, step: int, batch: Sequence[int]) -> dict[str, float]:
        started = time.monotonic()
        rate = learning_rate(step, self.steps, self.config)
        loss, norm = self.engine.step(step, batch, rate)
        supervised = sum(len(self.rows[row].supervised) for row in batch)
        mean = loss / sum(self.rows[row].weight for row in batch)
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss became {mean} at step {step}; lower learning_rate, set clip_norm "
                'or, where products were in a half format, precision = "float32".'
            )
        seconds = time.monotonic() - started
        tokens = sum(self.lengths[row] for row in batch)
        self.total.tokens += tokens
        self.total.supervised += supervised
        self.total.seconds += seconds
        self.total.loss = mean
        return {
            "loss": mean,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": tokens / seconds,
            "supervised_tokens": supervised,
            "skipped_rows": self.engine.skipped,
            "seconds": seconds,
        }

    # --- between steps -------------------------------------------------------------------------

    def _measures(self, step: int) -> bool:
        every = self.config.evaluate_every
        return step == self.steps or bool(every and step % every == 0)

    def _stop_early(self, step: int, metrics: Metrics) -> bool:
        loss, right = self.validation_loss(), self._right()
        figures = {"validation_loss": loss}
        if self.config.keep == "behaviour":
            figures["validation_right"] = right
        metrics.write(step, **figures)
        said = "".join(f", {name.replace('_', ' ')} {value:.4f}" for name, value in figures.items())
        self.progress.note(f"step {step}{said}")
        if (-right, loss) < self.best:
            self.best, self.best_step = (-right, loss), step
            if self.ranks.first and self.config.keep != "last":
                self._write_best()
        patience = self.config.patience * max(self.config.evaluate_every, 1)
        return bool(patience) and step - self.best_step >= patience

    def _valid_rows(self) -> list[int]:
        """Return this rank's validation rows by the numbers the engine knows them by."""
        return [len(self.rows) + row for row in self.ranks.mine(range(len(self.valid)))]

    def validation_loss(self) -> float:
        """Return the mean loss of the validation rows' supervised tokens."""
        loss = self.ranks.sum_number(self.engine.loss(self._valid_rows()))
        return loss / sum(len(row.supervised) for row in self.valid)

    def _right(self) -> float:
        """Return the part of the judged records done right; 0 where behaviour is not asked for."""
        right = 0.0
        if self.behaviour is not None:
            self.engine.weights()  # the model has them now
            self.loaded.model.eval()
            right = self.behaviour.score(self.loaded)
            self.loaded.model.train()
        return self.ranks.sum_number(right)

    def _write_best(self) -> None:
        temporary = self.folder / f"tmp-{BEST}"
        mx.save_safetensors(str(temporary), self.engine.weights())
        temporary.replace(self.folder / BEST)

    def _save(self, step: int) -> None:
        if not self.ranks.first:
            return
        figures = {
            "best_right": -self.best[0],
            "best_loss": self.best[1],
            "best_step": self.best_step,
            "tokens": self.total.tokens,
            "supervised": self.total.supervised,
            "seconds": self.total.seconds,
        }
        weights, state = self.engine.snapshot()
        write_checkpoint(self.folder, Checkpoint(step, self.digest, figures, weights, state))

    def _resume(self) -> int:
        found = read_checkpoint(self.folder, self.digest) if self.ranks.first else None
        first = int(self.ranks.sum_number(found.step if found else 0))
        if not first:
            if (self.folder / FILE).exists():
                self.progress.note(
                    "the checkpoint that is here is damaged, or of another configuration, base, data, "
                    "engine or number of cores; training starts anew"
                )
            for leftover in self.folder.iterdir():
                if leftover.is_file():
                    leftover.unlink()
            return 0
        if found:
            figures = found.figures
            loss = figures.get("best_loss", math.inf)
            self.best = (-figures.get("best_right", 0.0), loss)
            self.best_step = int(figures["best_step"])
            self.total.tokens = int(figures["tokens"])
            self.total.supervised = int(figures["supervised"])
            self.total.seconds = figures["seconds"]
            state = (found.weights, found.optimizer)
        else:  # another rank, which has nothing but the shapes to offer
            state = self.engine.snapshot()
        self.engine.load(*self.ranks.from_first(state))
        best = (*self.best, self.best_step) if self.ranks.first else (0.0, 0.0, 0)
        right, loss, step = map(self.ranks.sum_number, best)
        self.best, self.best_step = (right, loss), int(step)
        return first

    def _finish(self, step: int) -> None:
        if not self.ranks.first:
            return
        weights, kept = self.engine.weights(), step
        best = self.folder / BEST
        if self.config.keep != "last" and best.exists():
            weights, kept = load_arrays(best), self.best_step
            mx.eval(weights)
        write_adapter(self.folder, self.loaded.model, self.config, self.layers, weights)
        for leftover in (best, self.folder / FILE):
            leftover.unlink(missing_ok=True)
        write_json(
            self.folder / SUMMARY,
            {
                "config": self.config.model_dump(mode="json"),
                "engine": self.engine.name,
                "steps": step,
                "kept_step": kept,
                "rows": len(self.rows),
                "shared_tokens": self.shared,
                "final_loss": self.total.loss,
                "validation_loss": self.best[1] if kept == self.best_step else None,
                "validation_right": -self.best[0] if self.config.keep == "behaviour" else None,
                "tokens": self.total.tokens,
                "supervised_tokens": self.total.supervised,
                "seconds": self.total.seconds,
                "tokens_per_second": self.total.tokens / max(self.total.seconds, 1e-9),
                "peak_memory_gb": peak_gigabytes(),
                "ranks": self.ranks.size,
                "launch": this_launch(),
            },
        )
