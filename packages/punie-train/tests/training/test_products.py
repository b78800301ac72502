"""Products and compiled passes in float16 are what float16 arithmetic allows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from punie_train.mlx import mx
from punie_train.training import parallel
from punie_train.training.cpu.adamw import AdamW
from punie_train.training.cpu.elementwise import convert
from punie_train.training.cpu.heads import Rotation, soften
from punie_train.training.cpu.layer import Projection, scale_of
from punie_train.training.cpu.loss import losses_and_gradient
from punie_train.training.cpu.products import Workspace, available, multiply

pytestmark = pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")

COMPILED = settings(deadline=None)  # the first call compiles
SINGLES = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 40)))
HALVES = arrays(np.float16, st.tuples(st.integers(1, 9), st.integers(1, 40)))


@COMPILED
@given(SINGLES)
def test_a_conversion_to_float16_rounds_as_numpy_does(array: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        expected = array.astype(np.float16)
    np.testing.assert_array_equal(convert(array, np.empty_like(expected)), expected)


@COMPILED
@given(HALVES)
def test_a_conversion_to_float32_is_exact(array: np.ndarray) -> None:
    expected = array.astype(np.float32)
    np.testing.assert_array_equal(convert(array, np.empty_like(expected)), expected)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (3, 5, 7), (64, 96, 576), (0, 4, 3)])
def test_a_product_is_off_by_less_than_one_percent(
    m: int, n: int, k: int, *, transpose_a: bool, transpose_b: bool
) -> None:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(m, k)), draw.normal(size=(k, n))
    half_a, half_b = (
        np.ascontiguousarray(matrix.T if turned else matrix).astype(np.float16)
        for matrix, turned in ((a, transpose_a), (b, transpose_b))
    )
    out = np.empty((m, n), np.float16)

    multiply(half_a, half_b, out, transpose_a=transpose_a, transpose_b=transpose_b)

    assert np.linalg.norm(out - a @ b) <= 0.01 * np.linalg.norm(a @ b)


def test_pieces_of_memory_are_whole_and_overlap_no_other() -> None:
    space = Workspace(np.float16)
    pieces = [space.take(3, 5), space.take(1, 1), space.take_single(2, 2)]
    for number, piece in enumerate(pieces):
        piece[...] = number
    assert [(piece.shape, piece.dtype.name) for piece in pieces] == [
        ((3, 5), "float16"),
        ((1, 1), "float16"),
        ((2, 2), "float32"),
    ]
    assert [float(piece.sum()) for piece in pieces] == [0.0, 1.0, 8.0]


@pytest.mark.parametrize("size", [4, 32, 64, 128])
def test_heads_turned_and_turned_back_are_where_they_were(size: int) -> None:
    draw = np.random.default_rng(size)
    projected = draw.normal(size=(7, 6 * size)).astype(np.float32)
    heads, positions = np.empty((3, 7, 2, size), np.float32), np.arange(20, 27)
    rotation = Rotation(size, 10_000.0, 30)

    rotation.split(projected, 0, positions, heads, 0.5)
    back = np.empty_like(projected)
    rotation.join(heads, positions, back, scale=2.0)

    angle = 23 * 10_000.0 ** -(np.arange(size // 2) / (size // 2))
    low, high = np.split(projected[3, 5 * size :], 2)
    expected = [
        low * np.cos(angle) - high * np.sin(angle),
        high * np.cos(angle) + low * np.sin(angle),
    ]
    np.testing.assert_allclose(heads[2, 3, 1], 0.5 * np.concatenate(expected), atol=1e-5)
    np.testing.assert_allclose(back, projected, atol=1e-5)


@COMPILED
@given(st.lists(st.floats(-60, 60, width=16), min_size=1, max_size=30), st.integers(0, 29))
def test_weights_are_the_softmax_of_what_a_token_may_see(scores: list[float], shared: int) -> None:
    far = np.array(scores[:shared], np.float32)[None, None]
    mine = np.array(scores[shared:] or [0.5], np.float32)
    own = np.tile(mine, (1, len(mine), 1))
    far = np.tile(far, (1, len(mine), 1))
    seen = [
        np.concatenate([far[0, 0], mine[: at + 1]]).astype(np.float64) for at in range(len(mine))
    ]

    soften(far, own, 0)

    for at, row in enumerate(seen):
        expected = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        found = np.concatenate([far[0, at], own[0, at, : at + 1]])
        np.testing.assert_allclose(found, expected, atol=2e-7)
        assert not own[0, at, at + 1 :].any()


def test_the_loss_of_a_sure_token_leaves_a_gradient_as_small_as_it_should() -> None:
    logits = np.array([[20.0, 0.0, 1.0], [-3.0, 2.0, 500.0]], np.float32)
    output = Projection(np.eye(3, dtype=np.float32))
    hidden = logits.copy()

    weights = np.array([1.0, 0.5], np.float32)
    losses = losses_and_gradient(hidden, output, np.array([0, 1]), weights, Workspace())

    sure = np.exp(-20.0) + np.exp(-19.0)
    assert losses.tolist() == pytest.approx([sure, 249.0], rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(hidden[0], [-sure, np.exp(-20.0), np.exp(-19.0)], rtol=1e-5)
    np.testing.assert_allclose(hidden[1], [0.0, -0.5, 0.5], atol=1e-30)


def gradient_of(hidden: np.ndarray, output: Projection, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of the losses by the hidden states, in double precision from logits as they are.

    Logits of up to 100 are rounded by a thirtieth in float16, by which probabilities differ by percents; how
    the CPU adds in that format decides by how many.
    """
    logits = np.empty((len(hidden), len(output.factor)), hidden.dtype)
    multiply(hidden, output.factor, logits, transpose_b=True)
    weight = output.factor.astype(np.float64)
    logits = logits.astype(np.float64)
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    likely[np.arange(len(targets)), targets] -= 1
    return likely @ weight


@pytest.mark.parametrize("sharp", [0.1, 1.0, 3.0])
def test_tokens_that_are_out_of_the_question_are_no_part_of_a_half_formats_gradient(
    sharp: float,
) -> None:
    """From logits that are nearly alike, where all tokens count, to such where a handful do."""
    draw = np.random.default_rng(0)
    hidden = (sharp * draw.normal(size=(40, 64))).astype(np.float16)
    weight = draw.normal(size=(5000, 64)).astype(np.float16).astype(np.float32)
    targets = draw.integers(0, 5000, 40)
    output = Projection(weight).in_half(np.dtype(np.float16))
    expected = gradient_of(hidden, output, targets)
    space = Workspace(np.float16)
    found = space.take(40, 64)
    found[...] = hidden

    losses_and_gradient(found, output, targets, np.ones(40, np.float32), space)

    difference = found.astype(np.float32) / scale_of(space) - expected
    assert np.linalg.norm(difference) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize(("decay", "beta2"), [(0.0, 0.999), (0.1, 0.98)])
def test_steps_of_the_optimizer_are_those_of_mlx(decay: float, beta2: float) -> None:
    draw = np.random.default_rng(0)
    ours = draw.normal(size=1000).astype(np.float32)
    reference = parallel.optimizers.AdamW(
        learning_rate=1e-2, betas=[0.9, beta2], weight_decay=decay, bias_correction=True
    )
    theirs = {"x": mx.array(ours)}
    reference.init(theirs)
    optimizer, half = AdamW(len(ours), decay, beta2), np.empty(len(ours), np.float16)

    with ThreadPoolExecutor(3) as executor:
        for _ in range(4):
            gradient = draw.normal(size=1000).astype(np.float32)
            theirs = reference.apply_gradients({"x": mx.array(gradient)}, theirs)
            optimizer.update(ours, 2 * gradient, half, 0.5, 1e-2, executor, 3)

    np.testing.assert_allclose(ours, np.array(theirs["x"]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(half, ours.astype(np.float16))
