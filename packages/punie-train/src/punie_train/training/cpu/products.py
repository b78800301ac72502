"""Matrix products of MKL on NumPy arrays.

MKL is the library that `punie_train.blas` preloads. Calls release Python's lock, write into arrays that
exist, and add to them where asked, so a sum of gradients needs no array of its own.

Covered: float32 arrays whose last axis is contiguous; contiguous float16 matrices, which CPUs with
AVX512-FP16 (Intel, from Sapphire Rapids on) multiply more than twice as fast. Such products also add up in
float16: their results are off by 0.3 percent (root mean square) where those of bfloat16, the usual format of
training, are off by 0.4 because its numbers are coarser. Not covered: other BLAS libraries.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from punie_train.blas import preload

_CPU = Path("/proc/cpuinfo")
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
    library.cblas_saxpby.argtypes = [size, real, *one, real, *one]
    half = ctypes.c_uint16
    library.cblas_hgemm.argtypes = [flag] * 3 + [size] * 3 + [half, *one, *one, half, *one]
    return library


@cache
def half_is_fast() -> bool:
    """Return whether float16 products are worth their conversions here."""
    if not available() or importlib.util.find_spec("numkong") is None or not _CPU.exists():
        return False
    return "avx512_fp16" in _CPU.read_text(encoding="utf-8").split()


def convert(array: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write float32 numbers as float16 or the other way round into contiguous memory, and return it.

    NumPy converts one number at a time, at 2.5 ns each; this takes a tenth.
    """
    import numkong

    numkong.astype(array, "float16" if out.dtype == np.float16 else "float32", out=out)
    return out


def multiply_half(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> None:
    """Write a · b into `out`; all are contiguous float16 matrices, transposed as in `multiply`."""
    assert {a.dtype, b.dtype, out.dtype} == {np.dtype(np.float16)}
    (m, n), k = out.shape, a.shape[0] if transpose_a else a.shape[1]
    if not m or not n:
        return
    _mkl().cblas_hgemm(
        *_head(m, n, k, transpose_a=transpose_a, transpose_b=transpose_b),
        *(_ONE, a.ctypes.data, a.shape[1]),
        *(b.ctypes.data, b.shape[1]),
        *(0, out.ctypes.data, n),
    )


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
        out: (m, n); a stack where `a` is one.
        transpose_a: take the transpose of `a`.
        transpose_b: take the transpose of `b`.
        scale: factor of the product.
        add: add to `out` in place of overwriting it.
    """
    m, n = out.shape[-2:]
    k = a.shape[-2] if transpose_a else a.shape[-1]
    if not m or not n:
        return
    head = _head(m, n, k, transpose_a=transpose_a, transpose_b=transpose_b)
    keep = 1.0 if add else 0.0
    if out.ndim == 3 and out.strides[0] < out.strides[1] * m:
        # MKL refuses results that interleave, such as heads side by side in each token's row.
        for one, other, result in zip(a, b, out, strict=True):
            multiply(
                one,
                other,
                result,
                transpose_a=transpose_a,
                transpose_b=transpose_b,
                scale=scale,
                add=add,
            )
        return
    if out.ndim == 2:
        _mkl().cblas_sgemm(*head, scale, *_matrix(a), *_matrix(b), keep, *_matrix(out))
        return
    _mkl().cblas_sgemm_batch_strided(
        *head, scale, *_stack(a), *_stack(b), keep, *_stack(out), out.shape[0]
    )


def add_scaled(x: np.ndarray, scale: float, out: np.ndarray, keep: float = 1.0) -> None:
    """Write `scale` · x + `keep` · out into `out`, both flat and contiguous, in one pass over memory."""
    _mkl().cblas_saxpby(len(out), scale, x.ctypes.data, 1, keep, out.ctypes.data, 1)


def _head(m: int, n: int, k: int, *, transpose_a: bool, transpose_b: bool) -> tuple[int, ...]:
    """Return what every product is told first: the order, what is transposed, and the sizes."""
    turned = (_TRANSPOSED if transpose else _PLAIN for transpose in (transpose_a, transpose_b))
    return (_ROWS, *turned, m, n, k)


def _matrix(array: np.ndarray) -> tuple[int, int]:
    return array.ctypes.data, max(array.strides[0] // 4, array.shape[1])


def _stack(array: np.ndarray) -> tuple[int, int, int]:
    return array.ctypes.data, max(array.strides[1] // 4, array.shape[2]), array.strides[0] // 4


class Workspace:
    """Memory that is taken piece by piece and given back all at once.

    Fresh arrays of some megabytes come from the operating system page by page, each cleared on first use;
    that would take a tenth of a training step.
    """

    _SLAB = 1 << 24

    def __init__(self) -> None:
        self._slabs: list[np.ndarray] = []
        self._slab, self._at = 0, 0

    def take(self, *shape: int) -> np.ndarray:
        """Return an array of this shape with arbitrary contents."""
        size = math.prod(shape)
        while self._slab < len(self._slabs) and self._at + size > len(self._slabs[self._slab]):
            self._slab, self._at = self._slab + 1, 0
        if self._slab == len(self._slabs):
            self._slabs.append(np.empty(max(size, self._SLAB), np.float32))
        piece = self._slabs[self._slab][self._at : self._at + size].reshape(shape)
        self._at += -(-size // 16) * 16  # whole cache lines
        return piece

    def take_half(self, rows: int, columns: int) -> np.ndarray:
        """Return a (rows, columns) float16 array with arbitrary contents."""
        size = rows * columns
        return self.take((size + 1) // 2).view(np.float16)[:size].reshape(rows, columns)

    def mark(self) -> tuple[int, int]:
        """Return a place to go back to."""
        return self._slab, self._at

    def back(self, mark: tuple[int, int] = (0, 0)) -> None:
        """Give back all that was taken since a mark, or everything."""
        self._slab, self._at = mark
