"""Gradients derived by hand are those that MLX derives; whole trainings of the two engines agree."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_train.errors import TrainingError
from punie_train.mlx import flat, load_arrays, mx, nn, number
from punie_train.models.loading import load_base
from punie_train.progress import Progress
from punie_train.training import TrainConfig, train
from punie_train.training.adapters import make_trainable
from punie_train.training.cpu.coverage import obstacle
from punie_train.training.cpu.engine import CpuEngine
from punie_train.training.cpu.packing import TOKENS, in_packs, share
from punie_train.training.cpu.products import available, has_bfloat16
from punie_train.training.distributed import Ranks
from punie_train.training.engine import Job
from punie_train.training.network import Gradient, Network
from punie_train.training.rows import Row

pytestmark = pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")


HALVES = [
    "float16",
    pytest.param(
        "bfloat16",
        marks=pytest.mark.skipif(not has_bfloat16(), reason="needs a CPU with AVX512-BF16"),
    ),
]


def make_rows(seed: int, shared: int, lengths: list[int]) -> list[Row]:
    """Rows of random tokens that begin with the same ones; a third of the rest counts, much or little."""
    draw = random.Random(seed)
    prefix = [draw.randrange(1024) for _ in range(shared)]
    rows = []
    for number_, length in enumerate(lengths):
        tokens = (*prefix, *(draw.randrange(1024) for _ in range(length)))
        places = range(shared + 1, len(tokens))
        learned = sorted({*draw.sample(places, max(len(places) // 3, 1)), places[-1]})
        weights = tuple(draw.choice((1.0, 0.3)) for _ in learned)
        rows.append(Row(str(number_), tokens, tuple(learned), weights))
    return rows


def make_job(base: Path, rows: list[Row], shared: int, **config: Any) -> Job:
    defaults = {"method": "full", "num_layers": 2, "rank": 4, "precision": "float32"}
    settings_ = TrainConfig.model_validate(defaults | config)
    loaded = load_base(base)
    layers = make_trainable(loaded.model, settings_)
    for name, value in flat(loaded.model.trainable_parameters()).items():
        if name.endswith("lora_b"):
            loaded.model.load_weights([(name, mx.random.normal(value.shape) * 0.05)], strict=False)
    return Job(settings_, loaded, layers, rows, rows[0].tokens[:shared], Ranks())


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("layers", [1, 2, -1])
@pytest.mark.parametrize("shared", [0, 1, 9])
def test_loss_and_gradient_equal_those_of_the_whole_model_in_mlx(
    method: str,
    layers: int,
    shared: int,
    tiny_llama: Path,
    plain_loss: Callable[[Any, Sequence[Row]], mx.array],
) -> None:
    rows = make_rows(layers, shared, [7, 3, 31, 2, 12])
    job = make_job(tiny_llama, rows, shared, method=method, num_layers=layers)
    model = job.loaded.model
    expected, of_model = nn.value_and_grad(model, lambda rows: plain_loss(model, rows))(rows)

    engine = CpuEngine(job)
    engine.prepare(range(len(rows)), Progress(stream=io.StringIO()))
    loss, gradient, squares = engine.gradient(range(len(rows)))
    ours, theirs = engine.parameters.views(gradient), flat(of_model)

    assert loss == pytest.approx(number(expected), rel=1e-5)
    assert engine.loss(range(len(rows))) == pytest.approx(loss, rel=1e-6)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        reference = np.array(theirs[name])
        assert np.abs(value - reference).max() < 1e-3 * np.abs(reference).max() + 1e-6, name
    assert squares == pytest.approx(sum(float((part**2).sum()) for part in ours.values()), rel=1e-4)
    engine.close()


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("streams", [1, 3])
def test_tokens_that_all_rows_begin_with_are_constants_where_the_gradient_stops_at_them(
    streams: int, method: str, tiny_llama: Path
) -> None:
    rows = make_rows(3, 9, [7, 3, 31, 2, 12])
    own = [len(row.tokens) - 9 for row in rows]
    job = make_job(tiny_llama, rows, 9, method=method, streams=streams, shared_gradient=False)
    network = Network(job.loaded.model, 2, job.shared)
    below = [part[:length] for part, length in zip(np.array(network.below(rows)), own, strict=True)]
    stopped = Gradient(network, shared=False)
    expected, of_model = stopped.of(network.shard(rows, below), network.states())
    theirs = {
        name: np.array(value) for name, value in flat(stopped.through_shared(of_model)).items()
    }

    engine = CpuEngine(job)
    engine.prepare(range(len(rows)), Progress(stream=io.StringIO()))
    loss, gradient, _ = engine.gradient(range(len(rows)))
    ours = engine.parameters.views(gradient)

    assert loss == pytest.approx(number(expected), rel=1e-5)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.abs(value - theirs[name]).max() < 1e-3 * np.abs(theirs[name]).max() + 1e-6, name
    engine.close()


@pytest.mark.parametrize("precision", ["float32", *HALVES])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("shared_gradient", [True, False])
def test_a_gradient_has_nothing_of_the_one_before_it(
    shared_gradient: bool, method: str, precision: str, tiny_llama: Path
) -> None:
    rows = make_rows(4, 9, [7, 3, 31, 2, 12])
    job = make_job(
        tiny_llama, rows, 9,
        method=method, precision=precision, streams=2, shared_gradient=shared_gradient,
    )  # fmt: skip
    engine = CpuEngine(job)
    engine.prepare(range(len(rows)), Progress(stream=io.StringIO()))

    before = engine.gradient([2])[1].copy()
    everything = engine.gradient(range(len(rows)))[1].copy()
    after = engine.gradient([2])[1].copy()

    assert np.array_equal(before, after)
    assert not np.array_equal(before, everything)
    engine.close()


def test_what_is_trained_is_held_once_until_the_model_is_given_it_back(tiny_llama: Path) -> None:
    job = make_job(tiny_llama, make_rows(1, 0, [7, 3]), 0, method="full", num_layers=1)
    model = job.loaded.model
    before = {name: np.array(value) for name, value in flat(model.trainable_parameters()).items()}

    engine = CpuEngine(job)
    meanwhile = [value.size for value in flat(model.trainable_parameters()).values()]
    engine.weights()
    engine.close()

    after = flat(model.trainable_parameters())
    assert meanwhile == [0] * len(before)
    assert after.keys() == before.keys()
    assert all(np.array_equal(np.array(after[name]), value) for name, value in before.items())


@pytest.mark.parametrize("precision", ["float32", *HALVES])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("shared", [0, 9])
@pytest.mark.parametrize("streams", [1, 2])
def test_a_row_that_is_known_counts_in_the_loss_and_not_in_the_gradient(
    streams: int, shared: int, method: str, precision: str, tiny_llama: Path
) -> None:
    rows = make_rows(5, shared, [7, 3, 31, 2, 12, 5, 9])
    everything = range(len(rows))

    def engine_with(least: float) -> CpuEngine:
        mx.random.seed(1)
        job = make_job(
            tiny_llama, rows, shared,
            method=method, precision=precision, streams=streams, skip_below=least,
        )  # fmt: skip
        engine = CpuEngine(job)
        engine.prepare(everything, Progress(stream=io.StringIO()))
        return engine

    whole = engine_with(0.0)
    means = [whole.loss([row]) / rows[row].weight for row in everything]
    least = sum(sorted(means)[3:5]) / 2
    worth = [row for row in everything if means[row] >= least]
    _, expected, _ = whole.gradient(worth)
    skipping = engine_with(least)
    loss, gradient, _ = skipping.gradient(everything)

    tolerance = 1e-5 if precision == "float32" else 0.01
    assert loss == pytest.approx(whole.loss(everything), rel=1e-5)
    assert np.linalg.norm(gradient - expected) <= tolerance * np.linalg.norm(expected)
    assert skipping.skipped == len(rows) - len(worth) == 4

    nothing = engine_with(1e3)
    loss, gradient, squares = nothing.gradient(everything)
    assert loss == pytest.approx(whole.loss(everything), rel=1e-5)
    assert (squares, gradient.any(), nothing.skipped) == (0.0, False, len(rows))
    for engine in (whole, skipping, nothing):
        engine.close()


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("skip_below", [0.0, 6.0])
def test_a_training_of_either_engine_ends_at_the_same_weights(
    skip_below: float,
    method: str,
    tiny_llama: Path,
    records: Path,
    tmp_path: Path,
    progress: Progress,
) -> None:
    figures, weights, skipped = {}, {}, {}
    for engine in ("cpu", "mlx"):
        told: dict[str, Any] = {
            "engine": engine,
            "method": method,
            "num_layers": 2,
            "iterations": 6,
        }
        told["batch_size"] = 24  # all rows, because only MLX wants rows of similar length together
        told |= {"precision": "float32", "weight_decay": 0.01, "keep": "last", "tail_weight": 0.3}
        told["skip_below"] = skip_below
        config = TrainConfig.model_validate(told)
        train(config, base=tiny_llama, data=records, out=tmp_path / engine, progress=progress)
        figures[engine] = json.loads((tmp_path / engine / "training.json").read_text())
        weights[engine] = load_arrays(tmp_path / engine / "adapters.safetensors")
        metrics = (tmp_path / engine / "metrics.jsonl").read_text().splitlines()
        steps = [line for line in map(json.loads, metrics) if "skipped_rows" in line]
        skipped[engine] = [line["skipped_rows"] for line in steps]

    assert skipped["cpu"] == skipped["mlx"]
    assert any(skipped["cpu"]) == bool(skip_below)
    assert [figures[name]["engine"] for name in ("cpu", "mlx")] == ["cpu", "mlx"]
    assert figures["cpu"]["final_loss"] == pytest.approx(figures["mlx"]["final_loss"], rel=1e-3)
    assert figures["cpu"]["validation_loss"] == pytest.approx(
        figures["mlx"]["validation_loss"], rel=1e-3
    )
    assert weights["cpu"].keys() == weights["mlx"].keys()
    for name, value in weights["cpu"].items():
        assert number(mx.mean(mx.abs(value - weights["mlx"][name]))) < 2e-5, name


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_products_in_a_half_format_give_almost_the_same_loss_and_gradient(
    method: str, half: str, tiny_llama: Path
) -> None:
    rows = make_rows(3, 9, [7, 3, 31, 2, 12])
    found = {}
    for precision in ("float32", half):
        job = make_job(tiny_llama, rows, 9, method=method, precision=precision)
        mx.random.seed(1)
        engine = CpuEngine(job)
        engine.parameters.values[...] = np.random.default_rng(0).normal(
            0, 0.05, engine.parameters.size
        )
        engine.load(*engine.snapshot())
        engine.prepare(range(len(rows)), Progress(stream=io.StringIO()))
        loss, gradient, _ = engine.gradient(range(len(rows)))
        found[engine.name] = (loss, gradient.copy())
        engine.close()

    assert list(found) == ["cpu", f"cpu, {half} products"]
    (loss, gradient), (loss_half, gradient_half) = found.values()
    assert loss_half == pytest.approx(loss, rel=2e-3)
    assert loss_half != loss
    along = float(gradient @ gradient_half)
    assert along > 0.999 * float(np.linalg.norm(gradient) * np.linalg.norm(gradient_half))
    assert np.linalg.norm(gradient_half) == pytest.approx(np.linalg.norm(gradient), rel=0.01)


@pytest.mark.parametrize("half", HALVES)
def test_a_training_with_products_in_a_half_format_learns_as_well(
    half: str, tiny_llama: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    losses = {}
    for precision in ("float32", half):
        config = TrainConfig.model_validate(
            {"method": "full", "num_layers": 2, "iterations": 12, "precision": precision}
        )
        out = tmp_path / precision
        train(config, base=tiny_llama, data=records, out=out, progress=progress)
        summary = json.loads((out / "training.json").read_text())
        losses[summary["engine"]] = summary["validation_loss"]

    assert list(losses) == ["cpu", f"cpu, {half} products"]
    assert losses[f"cpu, {half} products"] == pytest.approx(losses["cpu"], rel=0.01)


def test_the_engine_is_chosen_by_what_it_covers(tiny_llama: Path, tiny_moe: Path) -> None:
    rows = make_rows(1, 2, [3, 4])

    assert obstacle(make_job(tiny_llama, rows, 2)) == ""
    assert obstacle(make_job(tiny_llama, rows, 2, method="lora", dropout=0.1)) == (
        "DoRA and dropout are left to MLX"
    )
    assert obstacle(make_job(tiny_moe, rows, 2)) == ("models of type 'qwen3_moe' are left to MLX")


def test_an_engine_asked_for_by_name_that_does_not_cover_the_model_is_an_error(
    tiny_moe: Path, records: Path, tmp_path: Path, progress: Progress
) -> None:
    with pytest.raises(TrainingError, match="'qwen3_moe' are left to MLX"):
        train(
            TrainConfig(engine="cpu", iterations=1),
            base=tiny_moe,
            data=records,
            out=tmp_path / "out",
            progress=progress,
        )
    assert not (tmp_path / "out").exists()


@given(
    st.lists(st.floats(1, 1e4), max_size=40), st.lists(st.floats(0, 100), min_size=1, max_size=8)
)
def test_a_batch_is_shared_so_that_no_core_has_more_than_its_part_and_one_row(
    costs: list[float], before: list[float]
) -> None:
    shares = share(costs, before)

    assert sorted(index for part in shares for index in part) == list(range(len(costs)))
    total, parts = sum(costs) + sum(before), len(before)
    for own, part in zip(before, shares, strict=True):
        taken = [costs[index] for index in part]
        assert not taken or own + sum(taken) <= total / parts + max(costs) + 1e-6


@given(st.lists(st.integers(1, 700), max_size=60))
@settings(max_examples=200)
def test_packs_hold_every_row_once_in_order_and_stay_within_their_bound(own: list[int]) -> None:
    packs = in_packs(range(len(own)), own)

    assert [index for one in packs for index in one] == list(range(len(own)))
    assert all(len(one) == 1 or sum(own[index] for index in one) <= TOKENS for one in packs)
