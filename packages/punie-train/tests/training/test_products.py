"""Products and conversions in float16 are what float16 arithmetic allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from punie_train.training.cpu.products import Workspace, available, convert, multiply_half

pytestmark = pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")

SINGLES = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 40)))
HALVES = arrays(np.float16, st.tuples(st.integers(1, 9), st.integers(1, 40)))


@given(SINGLES)
def test_a_conversion_to_float16_rounds_as_numpy_does(array: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        expected = array.astype(np.float16)
    np.testing.assert_array_equal(convert(array, np.empty_like(expected)), expected)


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

    multiply_half(half_a, half_b, out, transpose_a=transpose_a, transpose_b=transpose_b)

    assert np.linalg.norm(out - a @ b) <= 0.01 * np.linalg.norm(a @ b)


def test_a_piece_of_float16_memory_is_whole_and_overlaps_no_other() -> None:
    space = Workspace()
    pieces = [space.take_half(3, 5), space.take_half(1, 1), space.take(2, 2)]
    for number, piece in enumerate(pieces):
        piece[...] = number
    assert [piece.shape for piece in pieces] == [(3, 5), (1, 1), (2, 2)]
    assert [float(piece.sum()) for piece in pieces] == [0.0, 1.0, 8.0]
