"""Products of bfloat16 are those of the rounded numbers, summed in float32, whatever the shapes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from punie_train.mlx import mx
from punie_train.training.cpu.compiled import BFLOAT16
from punie_train.training.cpu.elementwise import convert
from punie_train.training.cpu.products import (
    available,
    fastest,
    has_bfloat16,
    has_tiles,
    multiply,
)

multiplies = pytest.mark.skipif(
    not (available() and has_bfloat16()), reason="needs MKL and a CPU with AVX512-BF16"
)
KERNELS = {"registers": has_bfloat16, "tiles": has_tiles}
"""What multiplies: of `punie_train.training.cpu`, `bfloat16` and `tiles`; each wants other instructions."""

COMPILED = settings(deadline=None)  # the first call compiles
SIZES = st.one_of(st.integers(1, 80), st.sampled_from([12, 32, 64, 96]))
FLOATS = st.floats(width=32, allow_subnormal=False)


def rounded(matrix: np.ndarray) -> np.ndarray:
    return convert(matrix.astype(np.float32), np.empty(matrix.shape, BFLOAT16))


def exact(matrix: np.ndarray) -> np.ndarray:
    single = convert(matrix, np.empty(matrix.shape, np.float32))
    return single.astype(np.float64)


@pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")
@COMPILED
@given(arrays(np.float32, st.integers(1, 40), elements=FLOATS))
def test_a_conversion_rounds_as_mlx_does(array: np.ndarray) -> None:
    expected = mx.array(array).astype(mx.bfloat16).astype(mx.float32)
    np.testing.assert_array_equal(exact(rounded(array)), np.array(expected))


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request: pytest.FixtureRequest) -> Callable[..., None]:
    """A function that multiplies two matrices, where this CPU can run it."""
    if not (available() and KERNELS[request.param]()):
        pytest.skip("this CPU, or what is installed, lacks what it needs")
    from punie_train.training.cpu import bfloat16, tiles

    return {"registers": bfloat16.multiply, "tiles": tiles.multiply}[request.param]


@COMPILED
@given(
    m=st.one_of(SIZES, st.just(1100)),
    n=st.one_of(SIZES, st.just(250)),
    k=st.one_of(st.integers(0, 80), st.sampled_from([1700, 4095, 4096, 4097, 8195])),
    transpose_a=st.booleans(),
    transpose_b=st.booleans(),
    add=st.booleans(),
    single=st.booleans(),
)
def test_a_product_is_that_of_the_rounded_numbers(
    kernel: Callable[..., None],
    m: int,
    n: int,
    k: int,
    *,
    transpose_a: bool,
    transpose_b: bool,
    add: bool,
    single: bool,
) -> None:
    draw = np.random.default_rng(m * n + k)
    a, b = rounded(draw.normal(size=(m, k))), rounded(draw.normal(size=(k, n)))
    before = draw.normal(size=(m + 2, n)).astype(np.float32)
    out = before.copy() if single else rounded(before)
    product, start = exact(a) @ exact(b), exact(out)

    kernel(
        np.ascontiguousarray(a.T) if transpose_a else a,
        np.ascontiguousarray(b.T) if transpose_b else b,
        out[1:-1],
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        add=add,
    )

    found = exact(out)
    expected = product + start[1:-1] if add else product
    terms = np.abs(exact(a)) @ np.abs(exact(b)) + np.abs(start[1:-1])
    allowed = 1e-6 * terms + (0 if single else 2**-8 * np.abs(expected))
    assert (np.abs(found[1:-1] - expected) <= allowed).all()
    np.testing.assert_array_equal(found[[0, -1]], start[[0, -1]])  # what lies around it


@multiplies
def test_stacks_are_multiplied_one_by_one() -> None:
    draw = np.random.default_rng(0)
    a, b = rounded(draw.normal(size=(3, 7, 5))), rounded(draw.normal(size=(3, 9, 5)))
    out = np.empty((3, 7, 9), np.float32)

    multiply(a, b, out, transpose_b=True)

    np.testing.assert_allclose(out, exact(a) @ exact(b).transpose(0, 2, 1), atol=1e-5)


@multiplies
def test_threads_that_multiply_at_once_do_not_meet() -> None:
    draw = np.random.default_rng(0)
    sizes = [(int(m), int(n), int(k)) for m, n, k in draw.integers(1, 400, (40, 3))]
    given = [
        (rounded(draw.normal(size=(m, k))), rounded(draw.normal(size=(k, n)))) for m, n, k in sizes
    ]

    def product(pair: tuple[np.ndarray, np.ndarray]) -> list[Any]:
        out = np.empty((len(pair[0]), pair[1].shape[1]), np.float32)
        multiply(*pair, out)
        return out.tolist()

    with ThreadPoolExecutor(4) as executor:
        at_once = list(executor.map(product, given))

    assert at_once == [product(pair) for pair in given]


@pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2 fma", "float32"),
        ("avx2 avx512f avx512_bf16", "bfloat16"),
        ("avx2 avx512f avx512_bf16 avx512_fp16", "float16"),
    ],
)
def test_the_fastest_format_follows_from_the_instructions(
    flags: str, expected: str, tmp_path: Path
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text(f"processor : 0\nflags\t: {flags}\n", encoding="utf-8")
    assert fastest(cpu) == expected
    assert has_bfloat16(cpu) is (expected != "float32")
    assert not has_tiles(cpu)


@pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")
def test_tiles_are_faster_than_float16_where_the_system_lets_them_be_used(tmp_path: Path) -> None:
    cpu = tmp_path / "cpuinfo"
    flags = "avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8"
    cpu.write_text(f"processor : 0\nflags\t: {flags}\n", encoding="utf-8")
    assert (has_tiles(cpu), fastest(cpu)) in {(True, "bfloat16"), (False, "float16")}


def test_an_unknown_cpu_multiplies_in_float32(tmp_path: Path) -> None:
    assert fastest(tmp_path / "nowhere") == "float32"
    assert not has_bfloat16(tmp_path / "nowhere")
    assert not has_tiles(tmp_path / "nowhere")
