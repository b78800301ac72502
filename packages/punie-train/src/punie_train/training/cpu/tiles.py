"""Matrix products of bfloat16 numbers, summed in float32, for CPUs with AMX.

Intel's CPUs from Sapphire Rapids on have eight tiles of 16 rows of 64 bytes, and an instruction that
multiplies two of them and adds to a third: 16 · 16 · 32 multiplications where AVX512-BF16 has 32. What it
takes and how it is fed: Intel 64 and IA-32 Architectures Optimization Reference Manual, chapter 20.

The product is made in blocks of 32 by 32 numbers, which four tiles hold while two of the left and two of the
right operand pass by, 32 numbers of the summed axis at a time. Both are laid out first, tile after tile: the
right one's hold pairs along that axis, and rows of the left one that are read where they stand take twice the
time. A kernel whose operands lie in the second-level cache reaches 1.4 to 1.8 TFLOP/s on a core, so what
matters is to keep them there: a right operand that is small stays as a whole and each block of rows of the
left one passes by; of a large one a few columns stay, and the left one passes by as often, in parts of the
summed axis that fit.

A call computes on the calling thread alone.

Covered: contiguous matrices; any shape, any mixture of transposes. Not covered: CPUs without AMX-BF16
(`punie_train.training.cpu.products.has_tiles`), which these instructions would end the process of.
"""

from __future__ import annotations

from threading import local

import numpy as np

from punie_train.training.cpu.bfloat16 import aligned, put
from punie_train.training.cpu.compiled import compiled, stored
from punie_train.training.cpu.tile_instructions import (
    BLOCK,
    BYTES,
    CONFIGURATION,
    NUMBERS,
    SIDE,
    STEP,
    configure,
    copy_line,
    interleave,
    make_block,
    put_row,
    release,
    turn,
)

LEFT, RIGHT, GROUP = 1 << 20, 3 << 18, 1 << 18
"""Bytes of the left operand that pass by again and again, of a right one that stays as a whole, and of the
columns of another that stay: all of it within 2 MB of second-level cache."""


def multiply(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    *,
    transpose_a: bool,
    transpose_b: bool,
    add: bool,
) -> None:
    """Write a · b into `out`, or add it; see `punie_train.training.cpu.bfloat16.multiply`."""
    assert out.flags.c_contiguous  # blocks are stored by address
    (rows, columns), depth = out.shape, len(a) if transpose_a else a.shape[1]
    deep, group = _plan(rows, columns, depth)
    steps = -(-deep // STEP)
    blocks = -(-rows // BLOCK) if group < columns else 1
    room = ROOM.take(steps * blocks, steps * -(-min(group, columns) // BLOCK))
    turned = (transpose_a, transpose_b)
    if depth > deep and out.dtype != np.float32:  # parts of the sum are not to be rounded
        whole = ROOM.sums(out.size).reshape(out.shape)
        product(a, b, whole, turned, False, (deep, group), room, CONFIGURATION)
        put(whole.reshape(-1), add, out.reshape(-1))
        return
    product(a, b, out, turned, add, (deep, group), room, CONFIGURATION)


def _plan(rows: int, columns: int, depth: int) -> tuple[int, int]:
    """Return how much of the summed axis is looked at together, and how many columns stay."""
    if 2 * columns * depth <= RIGHT:
        return max(depth, 1), columns
    most = max(LEFT // (2 * rows), 8 * STEP)
    parts = -(-depth // most)
    deep = depth if parts == 1 else -(-depth // parts // STEP) * STEP
    return deep, max(GROUP // (2 * deep) // BLOCK, 1) * BLOCK


class _Room(local):
    """Memory of the calling thread, aligned to cache lines."""

    def __init__(self) -> None:
        self._left, self._right = aligned(0, np.int16), aligned(0, np.int16)
        self._sums = aligned(0, np.float32)
        self._block, self._rest = aligned(NUMBERS, np.float32), aligned(NUMBERS // 2, np.int16)

    def take(self, left: int, right: int) -> tuple[np.ndarray, ...]:
        """Return room for so many steps of blocks of each operand, for a block, and for half a step."""
        if left * NUMBERS > len(self._left):
            self._left = aligned(left * NUMBERS, np.int16)
        if right * NUMBERS > len(self._right):
            self._right = aligned(right * NUMBERS, np.int16)
        return self._left, self._right, self._block, self._rest

    def sums(self, size: int) -> np.ndarray:
        """Return room for so many sums."""
        if size > len(self._sums):
            self._sums = aligned(size, np.float32)
        return self._sums[:size]


ROOM = _Room()

# --- operands, laid out as [step][half of the block][16 lines of 64 bytes] --------------------------------


@compiled
def _lay_rows(x, first, count, start, end, panel):
    """Lay rows as they are: a line is 32 numbers of a row."""
    steps, whole = (end - start + STEP - 1) // STEP, (end - start) // STEP
    if whole < steps or count < BLOCK:
        panel[:] = 0
    for step in range(whole):
        at = start + step * STEP
        for row in range(count):
            source = x.ctypes.data + (first + row) * x.strides[0] + at * 2
            copy_line(source, panel.ctypes.data + step * BYTES + row * 64)
    for row in range(count):
        for at in range(start + whole * STEP, end):
            place = whole * NUMBERS + row * STEP + at - start - whole * STEP
            panel[place] = x[first + row, at]


@compiled
def _lay_rows_by_pairs(x, first, count, start, end, panel, rest):
    """Lay rows side by side: a line has a pair of each of 16 rows."""
    for half in range(2):
        top, rows = first + half * SIDE, min(max(count - half * SIDE, 0), SIDE)
        for step in range((end - start + STEP - 1) // STEP):
            at = start + step * STEP
            to = panel.ctypes.data + step * BYTES + half * BYTES // 2
            if rows == SIDE and at + STEP <= end:
                turn(x.ctypes.data + top * x.strides[0] + at * 2, x.strides[0], to)
                continue
            rest[:] = 0
            for row in range(rows):
                for place in range(min(STEP, end - at)):
                    rest[row * STEP + place] = x[top + row, at + place]
            turn(rest.ctypes.data, 64, to)


@compiled
def _lay_columns_by_pairs(x, first, count, start, end, panel):
    """Lay columns side by side: a line has a pair of each of 16 columns."""
    pairs, steps = (end - start) // 2, (end - start + STEP - 1) // STEP
    whole = pairs if count == BLOCK else 0
    for pair in range(whole):
        low = x.ctypes.data + (start + 2 * pair) * x.strides[0] + first * 2
        to = panel.ctypes.data + pair // SIDE * BYTES + pair % SIDE * 64
        interleave(low, low + x.strides[0], to)
        interleave(low + 32, low + 32 + x.strides[0], to + BYTES // 2)
    for pair in range(whole, steps * SIDE):
        at = pair // SIDE * NUMBERS + pair % SIDE * STEP
        for half in range(2):
            line = panel[at + half * NUMBERS // 2 : at + half * NUMBERS // 2 + STEP]
            line[:] = 0
            for row in range(start + 2 * pair, min(start + 2 * pair + 2, end)):
                for column in range(half * SIDE, min(count, (half + 1) * SIDE)):
                    line[2 * (column - half * SIDE) + row - start - 2 * pair] = x[
                        row, first + column
                    ]


@compiled
def _lay_columns(x, first, count, start, end, panel):
    """Lay columns as rows: a line is 32 numbers of a column."""
    _lay_columns_by_pairs(x, first, count, start, end, panel)
    for half in range(2 * ((end - start + STEP - 1) // STEP)):
        at = panel.ctypes.data + half * BYTES // 2
        turn(at, 64, at)


@compiled
def product(a, b, out, turned, add, plan, room, configuration):
    """Write a · b into `out`, or add it: `multiply` for those that are compiled.

    Given are whether each operand is to be transposed; how much of the summed axis is looked at together, and
    how many columns stay; room for both operands in such parts; and what tiles are to be like.
    """
    (deep, group), (_, right, _, rest) = plan, room
    depth = a.shape[0] if turned[0] else a.shape[1]
    if depth == 0 and not add:
        out[:] = stored(np.float32(0), out[0, 0])
    configure(configuration.ctypes.data)
    for start in range(0, depth, deep):
        end, whole = min(start + deep, depth), start == 0 and not add
        size = (end - start + STEP - 1) // STEP * NUMBERS
        for first in range(0, out.shape[1], group):
            last = min(first + group, out.shape[1])
            for column in range(first, last, BLOCK):
                at, count = (column - first) // BLOCK * size, min(BLOCK, last - column)
                if turned[1]:
                    _lay_rows_by_pairs(b, column, count, start, end, right[at : at + size], rest)
                else:
                    _lay_columns_by_pairs(b, column, count, start, end, right[at : at + size])
            _columns(a, out, turned[0], (start, end), (first, last), whole, room)
    release()


@compiled
def _columns(a, out, turned, part, columns, whole, room):
    """Make or add to some columns of the product, for which the right operand is laid out."""
    (left, right, block, _), (start, end), (first, last) = room, part, columns
    steps, (rows, width) = (end - start + STEP - 1) // STEP, out.shape
    size, kept = steps * NUMBERS, first > 0 or last < width
    for row in range(0, rows, BLOCK):
        count, at = min(BLOCK, rows - row), row // BLOCK * size if kept else 0
        panel = left[at : at + size]
        if first == 0:
            if turned:
                _lay_columns(a, row, count, start, end, panel)
            else:
                _lay_rows(a, row, count, start, end, panel)
        for column in range(first, last, BLOCK):
            across = min(BLOCK, last - column)
            other = right.ctypes.data + (column - first) // BLOCK * size * 2
            to = out.ctypes.data + (row * width + column) * out.itemsize
            if count == BLOCK and across == BLOCK and out.itemsize == 4:
                make_block(panel.ctypes.data, other, steps, to, width * 4, not whole)
                continue
            make_block(panel.ctypes.data, other, steps, block.ctypes.data, BLOCK * 4, False)
            for each in range(count):
                there = to + each * width * out.itemsize
                put_row(block.ctypes.data + each * BLOCK * 4, there, across, not whole, out[0, 0])
