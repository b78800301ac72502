"""Attention of packed rows and its gradient are those of each row alone, whatever computes them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_train.mlx import mx
from punie_train.training.cpu.products import available, has_bfloat16, has_tiles

pytestmark = pytest.mark.skipif(not available(), reason="needs MKL (x86 Linux)")

SIZE, HEADS, GROUPS = 16, 4, 2
LENGTHS = st.one_of(st.integers(1, 9), st.sampled_from([63, 64, 65, 150]))
QUERY, KEY = HEADS * SIZE, GROUPS * SIZE
PRECISIONS = {"float32": lambda: True, "bfloat16": has_bfloat16, "tiles": has_tiles}
"""How numbers are multiplied, and whether this CPU can."""


@pytest.fixture(scope="module", params=PRECISIONS)
def way(request: pytest.FixtureRequest) -> tuple[Any, np.dtype]:
    """A class that computes attention, and the type of its arrays."""
    if not PRECISIONS[request.param]():
        pytest.skip("this CPU lacks the instructions")
    from punie_train.training.cpu.attention import Attention
    from punie_train.training.cpu.compiled import BFLOAT16
    from punie_train.training.cpu.tile_attention import TileAttention

    kind = TileAttention if request.param == "tiles" else Attention
    return kind, np.dtype(np.float32) if request.param == "float32" else BFLOAT16


def reference(
    projected: mx.array, keys: mx.array, values: mx.array, ends: list[int]
) -> tuple[mx.array, ...]:
    """Return (tokens, query width) outputs, given queries, keys and values side by side."""
    shared = keys.shape[1]
    outputs = []
    for start, end in pairwise([0, *ends]):
        row = projected[start:end].reshape(1, end - start, HEADS + 2 * GROUPS, SIZE)
        row = row.transpose(0, 2, 1, 3)
        turned = mx.fast.rope(
            row[:, : HEADS + GROUPS],
            SIZE,
            traditional=False,
            base=1e4,
            scale=1.0,
            offset=shared,
        )
        seen = mx.concatenate([keys[None], turned[:, HEADS:]], axis=2)
        told = mx.concatenate([values[None], row[:, HEADS + GROUPS :]], axis=2)
        places = mx.arange(shared, shared + end - start)
        mask = places[:, None] >= mx.arange(shared + end - start)[None]
        output = mx.fast.scaled_dot_product_attention(
            turned[:, :HEADS], seen, told, scale=SIZE**-0.5, mask=mask
        )
        outputs.append(output.transpose(0, 2, 1, 3).reshape(end - start, QUERY))
    return (mx.concatenate(outputs),)


def as_stored(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    from punie_train.training.cpu.elementwise import convert

    return convert(array, np.empty(array.shape, dtype))


def as_single(array: np.ndarray) -> np.ndarray:
    return as_stored(array, np.dtype(np.float32))


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine; 1 where both are nothing."""
    one, other = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norms if norms else 1.0


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(LENGTHS, min_size=1, max_size=4),
    shared=st.sampled_from([0, 1, 31, 64, 70]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_outputs_and_gradients_are_those_of_each_row_alone(
    way: tuple[Any, np.dtype], lengths: list[int], shared: int, seed: int, data: st.DataObject
) -> None:
    from punie_train.training.cpu.attention import Heads, Rows, State
    from punie_train.training.cpu.heads import Rotation
    from punie_train.training.cpu.products import Workspace

    kind, dtype = way
    kept = data.draw(
        st.lists(st.integers(0, len(lengths) - 1), min_size=1, unique=True).map(sorted)
    )
    random = np.random.default_rng(seed)
    tokens, ends = sum(lengths), [int(end) for end in np.cumsum(lengths)]

    def numbers(*shape: int) -> np.ndarray:
        return as_stored(random.standard_normal(shape).astype(np.float32), dtype)

    projected, arriving = numbers(tokens, QUERY + 2 * KEY), numbers(tokens, QUERY)
    keys, values = numbers(GROUPS, shared, SIZE), numbers(GROUPS, shared, SIZE)
    rows, space = Rows(lengths, shared), Workspace(dtype)
    attention = kind(
        Heads(HEADS, GROUPS, SIZE),
        Rotation(SIZE, 1e4, shared + max(lengths)),
        State(keys, values),
        rows,
        projected,
        space,
    )
    output = space.take(tokens, QUERY)
    attention.forward(output, space)
    places = rows.tokens_of(kept)
    if len(kept) < len(lengths):
        attention.keep(kept, places, space)
    leaving = space.take(len(places), QUERY + 2 * KEY)
    to_state = State(*(np.zeros((GROUPS, shared, SIZE), np.float32) for _ in range(2)))
    attention.backward(np.ascontiguousarray(arriving[places]), leaving, to_state, space)

    given_to = [mx.array(as_single(each)) for each in (projected, keys, values)]
    chosen = np.zeros((tokens, QUERY), np.float32)
    chosen[places] = as_single(arriving)[places]
    (expected,), gradients = mx.vjp(lambda *x: reference(*x, ends), given_to, [mx.array(chosen)])
    of_projected, of_keys, of_values = (np.array(each) for each in gradients)
    found = [as_single(output), as_single(leaving), to_state.keys, to_state.values]
    wanted = [np.array(expected), of_projected[places], of_keys, of_values]
    least = 0.99999 if dtype == np.float32 else 0.9995
    assert [each.shape for each in found] == [each.shape for each in wanted]
    assert all(likeness(*pair) > least for pair in zip(found, wanted, strict=True))


DIGEST = """
import hashlib
import numpy as np
from punie_train.training.cpu.attention import Heads, Rows, State
from punie_train.training.cpu.compiled import BFLOAT16
from punie_train.training.cpu.elementwise import convert
from punie_train.training.cpu.heads import Rotation
from punie_train.training.cpu.layer import attention_in
from punie_train.training.cpu.products import Workspace, has_tiles

dtype = BFLOAT16 if has_tiles() else np.dtype(np.float32)
attend = attention_in(dtype)
random, space, digest = np.random.default_rng(0), Workspace(dtype), hashlib.sha256()


def numbers(*shape):
    return convert(2 * random.standard_normal(shape).astype(np.float32), np.empty(shape, dtype))


for _ in range(20):
    state = State(numbers(2, 50, 32), numbers(2, 50, 32))
    projected, out = numbers(90, 256), np.empty((90, 128), dtype)
    rows = Rows([90], 50)
    attend(Heads(4, 2, 32), Rotation(32, 1e4, 140), state, rows, projected, space).forward(out, space)
    digest.update(out.tobytes())
print(digest.hexdigest())
"""


def test_what_a_process_compiles_computes_the_bits_of_what_it_finds_on_disk(tmp_path: Path) -> None:
    """Or a training that goes on in another process would not end at the same weights."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert list(tmp_path.rglob("*.nbc"))
    assert first == second


def test_a_lane_takes_denormal_numbers_for_zero() -> None:
    from punie_train.training.cpu.compiled import flush_denormals

    least = np.full(64, 2e-38, np.float32)
    with ThreadPoolExecutor(1, initializer=flush_denormals) as lane:
        halves = lane.submit(lambda: least / 4).result()
    assert not halves.any()
    assert (least / 4).all()
