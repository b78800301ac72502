"""Shared prefixes, cached activations and supervised positions give the plain loss and gradient."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlx.utils import tree_map

from punie_train.errors import TrainingError
from punie_train.mlx import flat, mx, nn, number
from punie_train.models.loading import load_base
from punie_train.progress import Progress
from punie_train.training.activations import Activations
from punie_train.training.adapters import make_trainable
from punie_train.training.config import TrainConfig
from punie_train.training.fastmath import fast_math
from punie_train.training.loss import summed_loss
from punie_train.training.network import Gradient, Network
from punie_train.training.parallel import Streams
from punie_train.training.rows import Row, read_rows, shared_prefix


def cut(base: Path, records: Path, layers: int, share: bool) -> tuple[Any, Network, list[Row]]:
    loaded = load_base(base)
    rows = read_rows(records / "valid.jsonl", loaded.tokenizer, 500)
    make_trainable(loaded.model, TrainConfig(num_layers=layers, rank=4))
    for name, value in flat(loaded.model.trainable_parameters()).items():
        if name.endswith("lora_b"):
            loaded.model.load_weights([(name, mx.random.normal(value.shape) * 0.05)], strict=False)
    shared = rows[0].tokens[: shared_prefix(rows)] if share else ()
    return loaded.model, Network(loaded.model, layers, shared), rows


def compute(network: Network, rows: list[Row], budget: int = 1 << 30) -> list[np.ndarray]:
    activations = Activations(network, rows, budget)
    activations.compute(range(len(rows)), Streams(2), Progress(stream=io.StringIO()))
    found = [activations[index].copy() for index in range(len(rows))]
    activations.close()
    return found


@pytest.mark.parametrize("base", ["tiny_llama", "tiny_moe"])
@pytest.mark.parametrize("layers", [1, -1])
@pytest.mark.parametrize("share", [True, False])
def test_loss_and_gradient_equal_those_of_the_whole_model(
    base: str,
    layers: int,
    share: bool,
    records: Path,
    plain_loss: Callable[[Any, Sequence[Row]], mx.array],
    request: pytest.FixtureRequest,
) -> None:
    model, network, rows = cut(request.getfixturevalue(base), records, layers, share)
    with fast_math(model):
        found = compute(network, rows)
        shards = [network.shard(rows[part], found[part]) for part in (slice(2), slice(2, None))]
        step, states = Gradient(network), network.states()
        losses, gradients = zip(*(step.of(shard, states) for shard in shards), strict=True)
        loss, gradient = sum(losses), step.through_shared(tree_map(mx.add, *gradients))
        mx.eval(loss, gradient)
    expected, expected_gradient = nn.value_and_grad(model, lambda rows: plain_loss(model, rows))(
        rows
    )

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    ours, theirs = flat(gradient), flat(expected_gradient)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        scale = number(mx.max(mx.abs(theirs[name]))) + 1e-6
        assert number(mx.max(mx.abs(value - theirs[name]))) < 1e-3 * scale, name


def test_activations_on_disk_are_those_in_memory(tiny_llama: Path, records: Path) -> None:
    _, network, rows = cut(tiny_llama, records, 1, share=True)
    memory, disk = compute(network, rows), compute(network, rows, budget=3000)
    assert all(np.array_equal(one, other) for one, other in zip(memory, disk, strict=True))


def test_the_loss_in_chunks_is_the_cross_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight = mx.random.normal((300, 16)), mx.random.normal((50, 16))
    targets, counts = mx.random.randint(0, 50, (300,)), mx.random.uniform(0.1, 1, (300,))

    def plain(hidden: mx.array) -> mx.array:
        return mx.sum(counts * nn.losses.cross_entropy(hidden @ weight.T, targets))

    ours = mx.value_and_grad(lambda each: summed_loss(each, weight, targets, counts))(hidden)
    expected = mx.value_and_grad(plain)(hidden)
    assert ours[0].item() == pytest.approx(expected[0].item(), rel=1e-5)
    assert mx.allclose(ours[1], expected[1], atol=1e-5).item()


def test_an_architecture_that_is_not_covered_is_refused_with_what_to_do(tiny_llama: Path) -> None:
    model = load_base(tiny_llama).model
    model.model_type = "mamba"
    with pytest.raises(
        TrainingError, match=r"does not cover models of type 'mamba'.*trainer = \"mlx-lm\""
    ):
        Network(model, 1, ())
