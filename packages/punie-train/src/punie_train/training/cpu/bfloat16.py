"""Matrix products of bfloat16 numbers, summed in float32, for CPUs with AVX512-BF16.

Such CPUs (AMD from Zen 4 on, Intel from Cooper Lake on) multiply pairs of bfloat16 and add them to float32 in
one instruction, at twice the rate of float32. MKL does not use it on AMD's, where its product of bfloat16 is
no faster than that of float32; hence this one.

As in Goto and van de Geijn (2008, https://doi.org/10.1145/1356052.1356053), operands are first laid out the
way they are read: in panels of `ROWS` rows of the left one and `COLUMNS` columns of the right one, by pairs
along the summed axis. A panel of the right one stays in the second-level cache while all of the left one's
pass by; the sums of a tile stay in registers. A call computes on the calling thread alone.

Covered: contiguous matrices; any shape, any mixture of transposes. Not covered: CPUs without AVX512-BF16
(`punie_train.training.cpu.products.has_bfloat16`), which these instructions would end the process of.
"""

from __future__ import annotations

from threading import local
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from punie_train.training.cpu.compiled import (
    BFloat,
    compiled,
    function,
    intrinsic,
    single,
    stored,
)

ROWS, COLUMNS = 12, 32
"""A tile: 24 of the 32 vector registers hold its sums."""
DEPTH = 4096
"""Most of the summed axis at one time: a panel of `COLUMNS` then takes 256 KB."""

_LANES = 16  # float32 numbers, or pairs of bfloat16, in a vector of 512 bits
_DOT = "llvm.x86.avx512bf16.dpbf16ps.512"


def multiply(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    *,
    transpose_a: bool,
    transpose_b: bool,
    add: bool,
) -> None:
    """Write a · b into `out`, or add it.

    Args:
        a: (m, k) in bfloat16, or (k, m) to be transposed.
        b: (k, n) in bfloat16, or (n, k) to be transposed.
        out: (m, n), in float32 or bfloat16.
        transpose_a: take the transpose of `a`.
        transpose_b: take the transpose of `b`.
        add: add to `out` in place of overwriting it.
    """
    assert out.flags.c_contiguous  # tiles are stored by address
    depth = len(a) if transpose_a else a.shape[1]
    if depth > DEPTH and out.dtype != np.float32:  # parts of the sum are not to be rounded
        whole = np.empty(out.shape, np.float32)
        multiply(a, b, whole, transpose_a=transpose_a, transpose_b=transpose_b, add=False)
        put(whole.reshape(-1), add, out.reshape(-1))
        return
    room = _room.take(len(out), (min(depth, DEPTH) + 1) // 2)
    _product(a, b, out, (transpose_a, transpose_b), add, room)


class _Room(local):
    """Memory of the calling thread, aligned to cache lines."""

    def __init__(self) -> None:
        self._left, self._right = aligned(0, np.uint32), aligned(0, np.uint32)
        self._tile = aligned(ROWS * COLUMNS, np.float32)

    def take(self, rows: int, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return room for all panels of the left operand, one panel of the right one, and a tile."""
        left, right = -(-rows // ROWS) * ROWS * pairs, COLUMNS * pairs
        if left > len(self._left):
            self._left = aligned(left, np.uint32)
        if right > len(self._right):
            self._right = aligned(right, np.uint32)
        return self._left, self._right, self._tile


def aligned(size: int, dtype: Any) -> np.ndarray:
    """Return a new array that begins at a cache line, with arbitrary contents."""
    needed = size * np.dtype(dtype).itemsize
    raw = np.empty(needed + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + needed].view(dtype)


_room = _Room()


@compiled
def put(sums, add, out):
    """Write sums, or add them."""
    if add:
        for j in range(out.size):
            out[j] = stored(single(out[j]) + sums[j], out[j])
    else:
        for j in range(out.size):
            out[j] = stored(sums[j], out[j])


def _laying_columns(width: int) -> Any:
    """Return a function that lays columns of a matrix side by side, by pairs, `width` of them at a time.

    It takes `count` from `first` on, each from `start` to `end`; others are zero. Loops of a known length are
    faster.
    """

    @compiled
    def lay(x, first, count, start, end, panel):
        pairs = (end - start) // 2
        for p in range(pairs):
            low = x[start + 2 * p, first : first + count]
            high = x[start + 2 * p + 1, first : first + count]
            to = panel[p * width : (p + 1) * width]
            if count == width:
                for r in range(width):
                    to[r] = _pair(low[r], high[r])
            else:
                for r in range(count):
                    to[r] = _pair(low[r], high[r])
                to[count:] = 0
        if (end - start) % 2:
            panel[pairs * width : (pairs + 1) * width] = 0
            for r in range(count):
                panel[pairs * width + r] = _pair(x[end - 1, first + r], np.int16(0))

    return lay


def _laying_rows(width: int) -> Any:
    """Return what `_laying_columns` does, for rows of a matrix."""

    @compiled
    def lay(x, first, count, start, end, panel):
        pairs, odd = (end - start) // 2, (end - start) % 2
        if count < width:
            panel[: (pairs + odd) * width] = 0
        for r in range(count):
            line = x[first + r, start:end]
            for p in range(pairs):
                panel[p * width + r] = _pair(line[2 * p], line[2 * p + 1])
            if odd:
                panel[pairs * width + r] = _pair(line[2 * pairs], np.int16(0))

    return lay


@compiled
def _pair(low, high):
    return (np.uint32(np.uint16(high)) << np.uint32(16)) | np.uint32(np.uint16(low))


_left_columns, _left_rows = _laying_columns(ROWS), _laying_rows(ROWS)
_right_columns, _right_rows = _laying_columns(COLUMNS), _laying_rows(COLUMNS)


@intrinsic
def _tile(
    _context: Any, left: Any, right: Any, pairs: Any, out: Any, stride: Any, add: Any, like: Any
) -> Any:
    """Write or add the (ROWS, COLUMNS) product of two panels of at least one pair.

    Panels and where the product begins are given by address, the distance of its rows in bytes; its numbers
    are stored as `like` is, and added only where that is float32.
    """
    if like not in (types.float32, types.int16):
        return None
    del left, right, pairs, out, stride, add
    return types.void(*[types.intp] * 5, types.boolean, like), _generate_tile


def _generate_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    left, right, pairs, out, stride, add, _ = arguments
    address, word, real = ir.IntType(64), ir.IntType(32), ir.FloatType()
    words, sums_type = ir.VectorType(word, _LANES), ir.VectorType(real, _LANES)
    numbers = ir.VectorType(BFloat(), 2 * _LANES)
    kind = ir.FunctionType(sums_type, [sums_type, numbers, numbers])
    dot = function(builder, _DOT, kind)
    vectors = COLUMNS // _LANES

    def place(base: Any, offset: Any, of: Any) -> Any:
        return builder.inttoptr(builder.add(base, offset), of.as_pointer())

    def load(base: Any, offset: Any, of: Any) -> Any:
        return builder.load(place(base, offset, of), align=4 if of is word else 64)

    def number(value: int) -> Any:
        return ir.Constant(address, value)

    before, loop, done = builder.block, *(builder.append_basic_block(x) for x in ("pairs", "done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    pair = builder.phi(address)
    pair.add_incoming(number(0), before)
    sums = [builder.phi(sums_type) for _ in range(ROWS * vectors)]
    at_left, at_right = builder.mul(pair, number(4 * ROWS)), builder.mul(pair, number(4 * COLUMNS))
    columns = [
        builder.bitcast(load(right, builder.add(at_right, number(64 * j)), words), numbers)
        for j in range(vectors)
    ]
    nowhere, everywhere = ir.Constant(words, ir.Undefined), ir.Constant(words, [0] * _LANES)
    results = []
    for row in range(ROWS):
        one = load(left, builder.add(at_left, number(4 * row)), word)
        first = builder.insert_element(nowhere, one, ir.Constant(word, 0))
        same = builder.bitcast(builder.shuffle_vector(first, nowhere, everywhere), numbers)
        results += [
            builder.call(dot, [sums[row * vectors + j], same, columns[j]]) for j in range(vectors)
        ]
    for total, result in zip(sums, results, strict=True):
        total.add_incoming(ir.Constant(sums_type, [0.0] * _LANES), before)
        total.add_incoming(result, loop)
    following = builder.add(pair, number(1))
    pair.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, pairs), loop, done)
    builder.position_at_end(done)
    rounded = signature.args[-1] == types.int16
    halves = ir.VectorType(BFloat(), _LANES)

    def write(*, adding: bool) -> None:
        for index, result in enumerate(results):
            row, vector = divmod(index, vectors)
            offset = builder.mul(stride, number(row))
            offset = builder.add(offset, number(vector * _LANES * (2 if rounded else 4)))
            value = builder.fptrunc(result, halves) if rounded else result
            to = place(out, offset, value.type)
            if adding:
                value = builder.fadd(value, builder.load(to, align=2))
            builder.store(value, to, align=2)

    if rounded:
        write(adding=False)
    else:
        with builder.if_else(add) as (then, otherwise):
            with then:
                write(adding=True)
            with otherwise:
                write(adding=False)
    return context.get_dummy_value()


@compiled
def _product(a, b, out, turned, add, room):
    (m, n), (left, right, tile) = out.shape, room
    depth = a.shape[0] if turned[0] else a.shape[1]
    if depth == 0 and not add:
        out[:] = stored(np.float32(0), out[0, 0])
    for start in range(0, depth, DEPTH):
        end = min(start + DEPTH, depth)
        pairs, whole = (end - start + 1) // 2, start == 0 and not add
        _lay_left(a, turned[0], m, start, end, left)
        for column in range(0, n, COLUMNS):
            width = min(COLUMNS, n - column)
            if turned[1]:
                _right_rows(b, column, width, start, end, right)
            else:
                _right_columns(b, column, width, start, end, right)
            for row in range(0, m, ROWS):
                at, rows = left.ctypes.data + row * pairs * 4, min(ROWS, m - row)
                if rows == ROWS and width == COLUMNS and (whole or out.itemsize == 4):
                    to = out.ctypes.data + (row * n + column) * out.itemsize
                    stride = n * out.itemsize
                    _tile(at, right.ctypes.data, pairs, to, stride, not whole, out[0, 0])
                    continue
                to, stride = tile.ctypes.data, tile.itemsize * COLUMNS
                _tile(at, right.ctypes.data, pairs, to, stride, False, tile[0])
                for r in range(rows):
                    sums = tile[r * COLUMNS : r * COLUMNS + width]
                    put(sums, not whole, out[row + r, column : column + width])


@compiled
def _lay_left(a, turned, m, start, end, left):
    pairs = (end - start + 1) // 2
    for row in range(0, m, ROWS):
        panel, rows = left[row * pairs : (row + ROWS) * pairs], min(ROWS, m - row)
        if turned:
            _left_columns(a, row, rows, start, end, panel)
        else:
            _left_rows(a, row, rows, start, end, panel)
