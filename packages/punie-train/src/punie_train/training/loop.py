"""Training: from records to an adapter folder, resumable at any step.

Each step: a batch of rows of similar length, split over ranks and streams; the summed loss of supervised
tokens and its gradient, divided by the number of those tokens over all ranks; AdamW with warm-up and a
cosine. Between steps: validation loss, checkpoints, metrics.

Covered: LoRA, DoRA and full fine-tuning of the last layers, one process or several. Not covered: model
parallelism.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlx.utils import tree_map

from punie_train.artefacts import digest_file, whole_folder, write_json
from punie_train.errors import TrainingError
from punie_train.mlx import BLAS, flat, load_arrays, mx, number
from punie_train.models.loading import LoadedModel, load_base
from punie_train.progress import Progress
from punie_train.training.activations import Activations
from punie_train.training.adapters import make_trainable, write_adapter
from punie_train.training.batches import plan_shards, steps_per_epoch, training_batches
from punie_train.training.behaviour import Behaviour
from punie_train.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from punie_train.training.config import TrainConfig
from punie_train.training.distributed import Ranks, launch, local_ranks, wanted_ranks
from punie_train.training.fastmath import fast_math
from punie_train.training.memory import peak_gigabytes
from punie_train.training.metrics import Metrics
from punie_train.training.network import Gradient, Network, Shard, States
from punie_train.training.parallel import StreamedAdamW, Streams
from punie_train.training.rows import Row, read_rows, shared_prefix

BEST = "best.safetensors"
SUMMARY = "training.json"
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
    rows = read_rows(data / "train.jsonl", loaded.tokenizer, config.max_tokens)
    valid = read_rows(data / "valid.jsonl", loaded.tokenizer, config.max_tokens)
    digest = _run_digest(config, base, data)
    with ExitStack() as stack:
        if mx.distributed.init().rank() == 0:
            folder = stack.enter_context(whole_folder(out, keep=True))
        else:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="punie-rank-")))
        stack.enter_context(fast_math(loaded.model))
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
        "train": digest_file(data / "train.jsonl"),
        "valid": digest_file(data / "valid.jsonl"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass
class _Figures:
    """What is measured between two reports."""

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
        self.config, self.model, self.rows, self.valid = config, loaded.model, rows, valid
        self.folder, self.digest, self.progress = folder, digest, progress
        self.ranks = Ranks()
        self.layers = make_trainable(self.model, config)
        together = [*rows, *valid]
        shared = rows[0].tokens[: shared_prefix(together)]
        self.network = Network(self.model, self.layers, shared)
        self.activations = Activations(self.network, together, config.cache_mb << 20)
        self.streams = Streams(config.streams, local_ranks())
        self.gradient = Gradient(self.network)
        self.optimizer = StreamedAdamW(self.streams, weight_decay=config.weight_decay)
        self.optimizer.init(self.model.trainable_parameters())
        self.lengths = [len(row.tokens) for row in rows]
        size = steps_per_epoch(len(rows), config.batch_size)
        self.steps = config.iterations or math.ceil((config.epochs or 1) * size)
        self.best = (0.0, math.inf)
        self.best_step = 0
        self.behaviour = behaviour
        self.loaded = loaded
        self.total = _Figures()

    def run(self) -> None:
        first = self._resume()
        metrics = Metrics(self.folder, first, self.config.track)
        trainable = sum(value.size for value in flat(self.model.trainable_parameters()).values())
        self.progress.note(
            f"{len(self.rows)} rows, {self.steps} steps, {self.layers} layers, {trainable / 1e6:.2f}M "
            f"trainable; {len(self.network.shared)} tokens shared by all rows, BLAS {BLAS.name}"
            + (f"; going on after step {first}" if first else "")
        )
        with self.streams.active():
            started = time.monotonic()
            mine = self.ranks.mine(range(len(self.rows))) + [
                len(self.rows) + row for row in self.ranks.mine(range(len(self.valid)))
            ]
            self.activations.compute(mine, self.streams, self.progress)
            self.total.seconds += time.monotonic() - started
            last = self._steps(first, metrics)
        metrics.close()
        self._finish(last)

    def _steps(self, first: int, metrics: Metrics) -> int:
        self.model.train()
        step = first
        with self.progress.task("train", self.steps) as task:
            task.advance(first)
            for step, batch in training_batches(
                self.lengths, self.config.batch_size, self.config.seed, first + 1, self.steps
            ):
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

    # --- one step ------------------------------------------------------------------------------

    def _step(self, step: int, batch: Sequence[int]) -> dict[str, float]:
        started = time.monotonic()
        loss, gradient = self.ranks.sum(self._sums(step, batch))
        supervised = sum(len(self.rows[row].supervised) for row in batch)
        norm = self._update(step, gradient, supervised)
        mean = number(loss) / supervised
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss became {mean} at step {step}; lower learning_rate or set clip_norm."
            )
        seconds = time.monotonic() - started
        tokens = sum(self.lengths[row] for row in batch)
        self.total.tokens += tokens
        self.total.supervised += supervised
        self.total.seconds += seconds
        self.total.loss = mean
        return {
            "loss": mean,
            "learning_rate": learning_rate(step, self.steps, self.config),
            "gradient_norm": norm,
            "tokens_per_second": tokens / seconds,
            "supervised_tokens": supervised,
            "seconds": seconds,
        }

    def _sums(self, step: int, batch: Sequence[int]) -> tuple[mx.array, Any]:
        """Return the summed loss of this rank's rows of a batch, and its gradient."""
        mine = self.ranks.mine(sorted(batch, key=lambda row: (self.lengths[row], row)))
        if not mine:
            return mx.array(0.0), tree_map(mx.zeros_like, self.model.trainable_parameters())
        # Dropout depends on the step, not on the steps before it: a resumed run draws the same numbers.
        seed = self.config.seed + step * self.ranks.size + self.ranks.rank
        mx.random.seed(seed)
        states = self._states()
        count = math.ceil(len(mine) / self.config.accumulate)
        loss, gradient = mx.array(0.0), None
        for at in range(0, len(mine), count):
            for wave in self._waves(self.rows, mine[at : at + count], 0):
                results = self.streams.map(lambda shard: self.gradient.of(shard, states), wave)
                mx.eval(results)
                parts = [*([gradient] if gradient else []), *(part for _, part in results)]
                gradient = self.streams.each_leaf(
                    lambda *leaves: sum(leaves[1:], leaves[0]), *parts
                )
                loss = sum((part for part, _ in results), loss)
                mx.eval(loss, gradient)
        mx.random.seed(seed)  # the same dropout in the shared tokens as above
        with self.streams.alone():
            whole = self.gradient.through_shared(gradient)
            mx.eval(whole)
        return loss, whole

    def _states(self) -> States:
        with self.streams.alone():
            states = self.network.states()
            mx.eval(states)
        return states

    def _update(self, step: int, gradient: Any, supervised: int) -> float:
        """Move the weights along the mean gradient, clipped; return its norm."""
        squares = flat(self.streams.each_leaf(lambda value: mx.sum(value * value), gradient))
        mx.eval(squares)
        norm = math.sqrt(sum(number(value) for value in squares.values())) / supervised
        shrink = min(1.0, self.config.clip_norm / (norm + 1e-6)) if self.config.clip_norm else 1.0
        mean = self.streams.each_leaf(lambda value: value * (shrink / supervised), gradient)
        self.optimizer.learning_rate = learning_rate(step, self.steps, self.config)
        self.optimizer.update(self.model, mean)
        mx.eval(self.model.trainable_parameters(), self.optimizer.state)
        return norm

    def _waves(
        self, source: Sequence[Row], rows: Sequence[int], offset: int
    ) -> Iterator[list[Shard]]:
        shared = len(self.network.shared)
        own = [len(row.tokens) - shared for row in source]
        for wave in plan_shards(rows, own, self.streams.count):
            yield [
                self.network.shard(
                    [source[row] for row in shard],
                    [self.activations[offset + row] for row in shard],
                )
                for shard in wave
            ]

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
            if self.ranks.first:
                self._write_best()
        patience = self.config.patience * max(self.config.evaluate_every, 1)
        return bool(patience) and step - self.best_step >= patience

    def validation_loss(self) -> float:
        """Return the mean loss of the validation rows' supervised tokens."""
        self.model.eval()
        states = self._states()
        loss, size = 0.0, self.config.batch_size * 2
        order = sorted(
            self.ranks.mine(range(len(self.valid))), key=lambda row: len(self.valid[row].tokens)
        )
        for at in range(0, len(order), size):
            for wave in self._waves(self.valid, order[at : at + size], len(self.rows)):
                sums = self.streams.map(lambda shard: self.network.loss(shard, states), wave)
                mx.eval(sums)
                loss += sum(number(part) for part in sums)
        self.model.train()
        return self.ranks.sum_number(loss) / sum(len(row.supervised) for row in self.valid)

    def _right(self) -> float:
        """Return the part of the judged records done right; 0 where behaviour is not asked for."""
        right = 0.0
        if self.behaviour is not None:
            self.model.eval()
            right = self.behaviour.score(self.loaded)
            self.model.train()
        return self.ranks.sum_number(right)

    def _weights(self) -> dict[str, mx.array]:
        return flat(self.model.trainable_parameters())

    def _write_best(self) -> None:
        temporary = self.folder / f"tmp-{BEST}"
        mx.save_safetensors(str(temporary), self._weights())
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
        write_checkpoint(
            self.folder,
            Checkpoint(step, self.digest, figures, self._weights(), self.optimizer.state),
        )

    def _resume(self) -> int:
        found = read_checkpoint(self.folder, self.digest) if self.ranks.first else None
        first = int(self.ranks.sum_number(found.step if found else 0))
        if not first:
            for leftover in self.folder.iterdir():
                if leftover.is_file():
                    leftover.unlink()
            return 0
        if found:
            self.model.load_weights(list(found.weights.items()), strict=False)
            self.optimizer.state = found.optimizer
            figures = found.figures
            loss = figures.get("best_loss", math.inf)
            self.best = (-figures.get("best_right", 0.0), loss)
            self.best_step = int(figures["best_step"])
            self.total.tokens = int(figures["tokens"])
            self.total.supervised = int(figures["supervised"])
            self.total.seconds = figures["seconds"]
        state = (self.model.trainable_parameters(), self.optimizer.state)
        weights, self.optimizer.state = self.ranks.from_first(state)
        self.model.update(weights)
        best = (*self.best, self.best_step) if self.ranks.first else (0.0, 0.0, 0)
        right, loss, step = map(self.ranks.sum_number, best)
        self.best, self.best_step = (right, loss), int(step)
        return first

    def _finish(self, step: int) -> None:
        self.activations.close()
        if not self.ranks.first:
            return
        weights, kept = self._weights(), step
        best = self.folder / BEST
        if self.config.keep != "last" and best.exists():
            weights, kept = load_arrays(best), self.best_step
            mx.eval(weights)
        write_adapter(self.folder, self.model, self.config, self.layers, weights)
        for leftover in (best, self.folder / "checkpoint.safetensors"):
            leftover.unlink(missing_ok=True)
        write_json(
            self.folder / SUMMARY,
            {
                "config": self.config.model_dump(mode="json"),
                "steps": step,
                "kept_step": kept,
                "rows": len(self.rows),
                "shared_tokens": len(self.network.shared),
                "final_loss": self.total.loss,
                "validation_loss": self.best[1] if kept == self.best_step else None,
                "validation_right": -self.best[0] if self.config.keep == "behaviour" else None,
                "tokens": self.total.tokens,
                "supervised_tokens": self.total.supervised,
                "seconds": self.total.seconds,
                "tokens_per_second": self.total.tokens / max(self.total.seconds, 1e-9),
                "peak_memory_gb": peak_gigabytes(),
                "ranks": self.ranks.size,
            },
        )
