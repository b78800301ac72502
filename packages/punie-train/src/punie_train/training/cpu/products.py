"""Matrix products of NumPy arrays: MKL's, and ours of bfloat16.

MKL is the library that `punie_train.blas` preloads. Calls release Python's lock and write into arrays that
exist.

Covered: arrays in float32, float16 and bfloat16 whose last axis is contiguous. Intel's CPUs from Sapphire
Rapids on multiply float16 more than twice as fast as float32 (AVX512-FP16), and bfloat16 twice as fast as
that where they may use their tiles (AMX); AMD's from Zen 4 on bfloat16 (AVX512-BF16). MKL's products of
float16 also add up in float16: they are off by 0.3 percent (root mean square). Those of bfloat16, the usual
format of training, are off by 0.4: its numbers are coarser. Not covered: other BLAS libraries.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from punie_train.blas import preload

_ONE = 0x3C00  # 1 in float16
_ROWS = 101  # CblasRowMajor
_PLAIN, _TRANSPOSED = 111, 112  # CblasNoTrans, CblasTrans


def available() -> bool:
    """Return whether MKL is loaded in this process."""
    return preload().name == "mkl"


@cache
def _mkl() -> Any:
    library = ctypes.CDLL(str(preload().path))
    flag, size, address, real = ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_float
    one = [address, size]
    library.cblas_sgemm.argtypes = [flag] * 3 + [size] * 3 + [real, *one, *one, real, *one]
    many = [address, size, size]
    library.cblas_sgemm_batch_strided.argtypes = (
        [flag] * 3 + [size] * 3 + [real, *many, *many, real, *many, size]
    )
    half = ctypes.c_uint16
    library.cblas_hgemm.argtypes = [flag] * 3 + [size] * 3 + [half, *one, *one, half, *one]
    return library


Precision = Literal["float32", "float16", "bfloat16"]


@cache
def fastest(cpu: Path = Path("/proc/cpuinfo")) -> Precision:
    """Return what products are fastest in on this CPU, conversions included."""
    if not available() or find_spec("numba") is None:
        return "float32"
    if "avx512_fp16" in cpu_flags(cpu) and not has_tiles(cpu):
        return "float16"
    return "bfloat16" if has_bfloat16(cpu) else "float32"


def has_bfloat16(cpu: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this CPU can multiply bfloat16 (AVX512-BF16)."""
    return "avx512_bf16" in cpu_flags(cpu)


@cache
def has_tiles(cpu: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this CPU has tiles to multiply bfloat16 with (AMX), and this process may use them."""
    if (
        not {"amx_tile", "amx_bf16", "avx512_bf16"} <= set(cpu_flags(cpu))
        or find_spec("numba") is None
    ):
        return False
    from punie_train.training.cpu.tile_instructions import may_use_tiles

    return may_use_tiles()


def cpu_flags(cpu: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return the instructions that a CPU says it has, among other words."""
    return cpu.read_text(encoding="utf-8").split() if cpu.exists() else []


def use_threads(count: int) -> None:
    """Let MKL use this many threads for calls of the calling thread; 0 goes back to the process's number."""
    _mkl().MKL_Set_Num_Threads_Local(count)


def multiply(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    scale: float = 1.0,
    add: bool = False,
) -> None:
    """Write `scale` · a · b into `out`, or add it.

    Args:
        a: (m, k), or (k, m) to be transposed; with one more axis in front, a stack of matrices.
        b: (k, n), or (n, k) to be transposed; a stack where `a` is one.
        out: (m, n); a stack where `a` is one. All three are float32 or all are float16; where `a` and `b` are
            bfloat16, `out` is either that or float32.
        transpose_a: take the transpose of `a`.
        transpose_b: take the transpose of `b`.
        scale: factor of the product, in float32 only.
        add: add to `out` in place of overwriting it.
    """
    m, n = out.shape[-2:]
    k = a.shape[-2] if transpose_a else a.shape[-1]
    if not m or not n:
        return
    if a.dtype == np.int16:
        assert b.dtype == a.dtype
        assert scale == 1.0
        _multiply_bfloat16(a, b, out, transpose_a=transpose_a, transpose_b=transpose_b, add=add)
        return
    assert a.dtype == b.dtype == out.dtype
    turned = (_TRANSPOSED if transpose else _PLAIN for transpose in (transpose_a, transpose_b))
    head = (_ROWS, *turned, m, n, k)
    if out.dtype == np.float16:
        assert scale == 1.0
        keep = _ONE if add else 0
        for one, other, result in zip(a, b, out, strict=True) if out.ndim == 3 else ((a, b, out),):
            _mkl().cblas_hgemm(*head, _ONE, *_matrix(one), *_matrix(other), keep, *_matrix(result))
    elif out.ndim == 3:
        stacks = scale, *_stack(a), *_stack(b), float(add), *_stack(out)
        _mkl().cblas_sgemm_batch_strided(*head, *stacks, out.shape[0])
    else:
        _mkl().cblas_sgemm(*head, scale, *_matrix(a), *_matrix(b), float(add), *_matrix(out))


def _multiply_bfloat16(a: np.ndarray, b: np.ndarray, out: np.ndarray, **how: bool) -> None:
    from punie_train.training.cpu import bfloat16, tiles  # need Numba, which other products do not

    product = tiles.multiply if has_tiles() else bfloat16.multiply
    for one, other, result in zip(a, b, out, strict=True) if out.ndim == 3 else ((a, b, out),):
        product(one, other, result, **how)


def _matrix(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, max(array.strides[0] // array.itemsize, array.shape[1])


def _stack(array: np.ndarray) -> tuple[int, int, int]:
    size = array.itemsize
    wide = max(array.strides[1] // size, array.shape[2])
    return array.ctypes.data, wide, array.strides[0] // size


class Workspace:
    """Memory that is taken piece by piece and given back all at once.

    Fresh arrays of some megabytes come from the operating system page by page, each cleared on first use;
    that would take a tenth of a training step.

    Args:
        dtype: of the arrays that are taken, unless they are asked for in float32.
    """

    _SLAB = 1 << 26

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = np.dtype(dtype)
        self._slabs: list[np.ndarray] = []
        self._slab, self._at = 0, 0

    def take(self, *shape: int) -> np.ndarray:
        """Return an array of this shape with arbitrary contents."""
        return self._take(shape, self.dtype)

    def take_like(self, other: np.ndarray, *shape: int) -> np.ndarray:
        """Return an array of this shape, and of another's type, with arbitrary contents."""
        return self._take(shape, other.dtype)

    def take_single(self, *shape: int) -> np.ndarray:
        """Return a float32 array of this shape with arbitrary contents."""
        return self._take(shape, np.dtype(np.float32))

    def _take(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = math.prod(shape) * dtype.itemsize
        while self._slab < len(self._slabs) and self._at + size > len(self._slabs[self._slab]):
            self._slab, self._at = self._slab + 1, 0
        if self._slab == len(self._slabs):
            self._slabs.append(np.empty(max(size, self._SLAB), np.uint8))
        piece = self._slabs[self._slab][self._at : self._at + size]
        self._at += -(-size // 64) * 64  # whole cache lines
        return piece.view(dtype).reshape(shape)

    def mark(self) -> tuple[int, int]:
        """Return a place to go back to."""
        return self._slab, self._at

    def back(self, mark: tuple[int, int] = (0, 0)) -> None:
        """Give back all that was taken since a mark, or everything."""
        self._slab, self._at = mark
