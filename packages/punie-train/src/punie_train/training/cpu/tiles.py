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

A process asks Linux for leave to use tiles (`may_use_tiles`), once and for all of its threads. A call
computes on the calling thread alone.

Covered: contiguous matrices; any shape, any mixture of transposes. Not covered: CPUs without AMX-BF16
(`punie_train.training.cpu.products.has_tiles`), which these instructions would end the process of.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from functools import cache
from threading import local
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from punie_train.training.cpu.bfloat16 import aligned, put
from punie_train.training.cpu.compiled import BFloat, compiled, intrinsic, stored

BLOCK = 32
"""Rows, and columns, of the product that are made at a time."""
STEP = 32
"""Numbers of the summed axis that pass by at a time."""
LEFT, RIGHT, GROUP = 1 << 20, 3 << 18, 1 << 18
"""Bytes of the left operand that pass by again and again, of a right one that stays as a whole, and of the
columns of another that stay: all of it within 2 MB of second-level cache."""

_SIDE = 16
_NUMBERS, _BYTES = BLOCK * STEP, 2 * BLOCK * STEP  # of an operand in a step
_ARCH_REQ_XCOMP_PERM, _XTILEDATA, _SYS_ARCH_PRCTL = 0x1023, 18, 158


@cache
def may_use_tiles() -> bool:
    """Ask Linux for leave to use tiles, as it wants to be (Documentation/arch/x86/xstate.rst)."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    system = ctypes.CDLL(None).syscall
    return system(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XTILEDATA) == 0


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
    room = _room.take(steps * blocks, steps * -(-min(group, columns) // BLOCK))
    turned = (transpose_a, transpose_b)
    if depth > deep and out.dtype != np.float32:  # parts of the sum are not to be rounded
        whole = _room.sums(out.size).reshape(out.shape)
        _product(a, b, whole, turned, False, (deep, group), room, _CONFIGURATION)
        put(whole.reshape(-1), add, out.reshape(-1))
        return
    _product(a, b, out, turned, add, (deep, group), room, _CONFIGURATION)


def _plan(rows: int, columns: int, depth: int) -> tuple[int, int]:
    """Return how much of the summed axis is looked at together, and how many columns stay."""
    if 2 * columns * depth <= RIGHT:
        return max(depth, 1), columns
    most = max(LEFT // (2 * rows), 8 * STEP)
    parts = -(-depth // most)
    deep = depth if parts == 1 else -(-depth // parts // STEP) * STEP
    return deep, max(GROUP // (2 * deep) // BLOCK, 1) * BLOCK


def _configuration() -> np.ndarray:
    """All eight tiles have 16 rows of 64 bytes; the palette is the first and only one."""
    found = aligned(64, np.uint8)
    found[:] = 0
    found[0] = 1
    found[16:32].view(np.uint16)[:] = [64] * 8
    found[48:56] = _SIDE
    return found


_CONFIGURATION = _configuration()


class _Room(local):
    """Memory of the calling thread, aligned to cache lines."""

    def __init__(self) -> None:
        self._left, self._right = aligned(0, np.int16), aligned(0, np.int16)
        self._sums = aligned(0, np.float32)
        self._block, self._rest = aligned(_NUMBERS, np.float32), aligned(_NUMBERS // 2, np.int16)

    def take(self, left: int, right: int) -> tuple[np.ndarray, ...]:
        """Return room for so many steps of blocks of each operand, for a block, and for half a step."""
        if left * _NUMBERS > len(self._left):
            self._left = aligned(left * _NUMBERS, np.int16)
        if right * _NUMBERS > len(self._right):
            self._right = aligned(right * _NUMBERS, np.int16)
        return self._left, self._right, self._block, self._rest

    def sums(self, size: int) -> np.ndarray:
        """Return room for so many sums."""
        if size > len(self._sums):
            self._sums = aligned(size, np.float32)
        return self._sums[:size]


_room = _Room()

# --- instructions -----------------------------------------------------------------------------------------

_ADDRESS, _BYTE, _NOTHING = ir.IntType(64), ir.IntType(8), ir.VoidType()
_POINTER = _BYTE.as_pointer()
_WORDS, _HALVES = ir.VectorType(ir.IntType(32), _SIDE), ir.VectorType(ir.IntType(16), _SIDE)


def _number(value: int) -> Any:
    return ir.Constant(_ADDRESS, value)


def _tile(value: int) -> Any:
    return ir.Constant(_BYTE, value)


def _at(builder: Any, base: Any, offset: Any, kind: ir.Type = _BYTE) -> Any:
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def _function(builder: Any, name: str, kind: ir.FunctionType) -> Any:
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def _instruction(builder: Any, name: str, *arguments: ir.Type) -> Any:
    return _function(builder, f"llvm.x86.{name}", ir.FunctionType(_NOTHING, arguments))


@intrinsic
def _configure(_context: Any, _configuration: Any) -> Any:
    """Let the calling thread's tiles be as the 64 bytes at an address say."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        where = builder.inttoptr(arguments[0], _POINTER)
        builder.call(_instruction(builder, "ldtilecfg", _POINTER), [where])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def _release(_context: Any) -> Any:
    """Give the tiles back, so that nobody has to save them."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.call(_instruction(builder, "tilerelease"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _make_block(
    _context: Any,
    left: Any,
    right: Any,
    steps: Any,
    out: Any,
    line: Any,
    add: Any,
) -> Any:
    """Write or add a block of the product, in float32.

    Given are the addresses of both operands, laid out, and how many steps they have, at least one; that of
    the block, and the distance of its rows in bytes; and whether it is added to.
    """
    del left, right, steps, out, line, add
    return types.void(*[types.intp] * 5, types.boolean), _generate_block


def _generate_block(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    left, right, steps, out, line, add = arguments
    moved = (_BYTE, _POINTER, _ADDRESS)
    load, store = (_instruction(builder, name, *moved) for name in ("tileloadd64", "tilestored64"))
    zero = _instruction(builder, "tilezero", _BYTE)
    dot = _instruction(builder, "tdpbf16ps", _BYTE, _BYTE, _BYTE)

    def sums() -> Iterator[tuple[Any, Any]]:
        for index in range(4):
            row = builder.mul(line, _number(_SIDE * (index // 2)))
            yield _tile(index), _at(builder, out, builder.add(row, _number(64 * (index % 2))))

    with builder.if_else(add) as (then, otherwise):
        with then:
            for index, place in sums():
                builder.call(load, [index, place, line])
        with otherwise:
            for index in range(4):
                builder.call(zero, [_tile(index)])
    before, loop, done = builder.block, *(builder.append_basic_block(x) for x in ("steps", "done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    number = builder.phi(_ADDRESS)
    number.add_incoming(_number(0), before)
    at = builder.mul(number, _number(_BYTES))
    for tile, operand, half in ((4, left, 0), (5, left, 1), (6, right, 0), (7, right, 1)):
        place = _at(builder, operand, builder.add(at, _number(_BYTES // 2 * half)))
        builder.call(load, [_tile(tile), place, _number(64)])
    for index in range(4):
        builder.call(dot, [_tile(index), _tile(4 + index // 2), _tile(6 + index % 2)])
    following = builder.add(number, _number(1))
    number.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, steps), loop, done)
    builder.position_at_end(done)
    for index, place in sums():
        builder.call(store, [index, place, line])
    return context.get_dummy_value()


@intrinsic
def _put_row(_context: Any, sums: Any, to: Any, count: Any, add: Any, like: Any) -> Any:
    """Write or add the first numbers of a block's row, as `like` is stored; both are given by address."""
    if like not in {types.float32, types.int16}:
        return None
    del sums, to, count, add
    return types.void(*[types.intp] * 3, types.boolean, like), _generate_put_row


def _generate_put_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    sums, to, count, add, _ = arguments
    rounded, lanes = signature.args[-1] == types.int16, ir.VectorType(ir.IntType(64), BLOCK)
    singles = ir.VectorType(ir.FloatType(), BLOCK)
    kind = ir.VectorType(BFloat(), BLOCK) if rounded else singles
    mask_type, name = (
        ir.VectorType(ir.IntType(1), BLOCK),
        f"v{BLOCK}{'bf16' if rounded else 'f32'}.p0",
    )
    nowhere, first = ir.Constant(lanes, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
    counts = builder.shuffle_vector(
        builder.insert_element(nowhere, count, first), nowhere, everywhere
    )
    mask = builder.icmp_signed("<", ir.Constant(lanes, list(range(BLOCK))), counts)
    align = ir.Constant(ir.IntType(32), 2 if rounded else 4)
    place = builder.inttoptr(to, kind.as_pointer())
    value = builder.load(builder.inttoptr(sums, singles.as_pointer()), align=64)
    loaded = ir.FunctionType(kind, [kind.as_pointer(), ir.IntType(32), mask_type, kind])
    stored_as = ir.FunctionType(_NOTHING, [kind, kind.as_pointer(), ir.IntType(32), mask_type])
    load = _function(builder, f"llvm.masked.load.{name}", loaded)
    store = _function(builder, f"llvm.masked.store.{name}", stored_as)

    def write(value: Any) -> None:
        value = builder.fptrunc(value, kind) if rounded else value
        builder.call(store, [value, place, align, mask])

    with builder.if_else(add) as (then, otherwise):
        with then:
            zeros = ir.Constant(singles, [0.0] * BLOCK)
            before = builder.fptrunc(zeros, kind) if rounded else zeros
            before = builder.call(load, [place, align, mask, before])
            write(builder.fadd(value, builder.fpext(before, singles) if rounded else before))
        with otherwise:
            write(value)
    return context.get_dummy_value()


@intrinsic
def _pair(_context: Any, low: Any, high: Any, to: Any) -> Any:
    """Lay 16 numbers of two rows side by side, by turns; all three are addresses."""
    del low, high, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        *given, to = arguments
        low, high = (builder.load(_at(builder, x, _number(0), _HALVES), align=2) for x in given)
        turns = [place for lane in range(_SIDE) for place in (lane, _SIDE + lane)]
        both = builder.shuffle_vector(
            low, high, ir.Constant(ir.VectorType(ir.IntType(32), 32), turns)
        )
        builder.store(both, _at(builder, to, _number(0), both.type), align=64)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate


@intrinsic
def _copy_line(_context: Any, source: Any, to: Any) -> Any:
    """Copy 64 bytes from one address to another."""
    del source, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, to = arguments
        line = builder.load(_at(builder, source, _number(0), _WORDS), align=2)
        builder.store(line, _at(builder, to, _number(0), _WORDS), align=64)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def _turn(_context: Any, source: Any, line: Any, to: Any) -> Any:
    """Transpose 16 rows of 16 words (32 bits), which may be done in place.

    Given are the address of the first row, the distance of rows in bytes, and an address for what comes of
    it, whose rows are 64 bytes apart. Halves change places, then quarters, eighths and single words.
    """
    del source, line, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, line, to = arguments
        places = [builder.mul(line, _number(row)) for row in range(_SIDE)]
        rows = [builder.load(_at(builder, source, place, _WORDS), align=2) for place in places]
        for far in (8, 4, 2, 1):
            stay = [lane if not lane & far else _SIDE + lane - far for lane in range(_SIDE)]
            move = [lane + far if not lane & far else _SIDE + lane for lane in range(_SIDE)]
            for row in (row for row in range(_SIDE) if not row & far):
                pair = rows[row], rows[row + far]
                rows[row], rows[row + far] = (
                    builder.shuffle_vector(*pair, ir.Constant(_WORDS, lanes))
                    for lanes in (stay, move)
                )
        for row, words in enumerate(rows):
            builder.store(words, _at(builder, to, _number(64 * row), _WORDS), align=64)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate


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
            _copy_line(source, panel.ctypes.data + step * _BYTES + row * 64)
    for row in range(count):
        for at in range(start + whole * STEP, end):
            place = whole * _NUMBERS + row * STEP + at - start - whole * STEP
            panel[place] = x[first + row, at]


@compiled
def _lay_rows_by_pairs(x, first, count, start, end, panel, rest):
    """Lay rows side by side: a line has a pair of each of 16 rows."""
    for half in range(2):
        top, rows = first + half * _SIDE, min(max(count - half * _SIDE, 0), _SIDE)
        for step in range((end - start + STEP - 1) // STEP):
            at = start + step * STEP
            to = panel.ctypes.data + step * _BYTES + half * _BYTES // 2
            if rows == _SIDE and at + STEP <= end:
                _turn(x.ctypes.data + top * x.strides[0] + at * 2, x.strides[0], to)
                continue
            rest[:] = 0
            for row in range(rows):
                for place in range(min(STEP, end - at)):
                    rest[row * STEP + place] = x[top + row, at + place]
            _turn(rest.ctypes.data, 64, to)


@compiled
def _lay_columns_by_pairs(x, first, count, start, end, panel):
    """Lay columns side by side: a line has a pair of each of 16 columns."""
    pairs, steps = (end - start) // 2, (end - start + STEP - 1) // STEP
    whole = pairs if count == BLOCK else 0
    for pair in range(whole):
        low = x.ctypes.data + (start + 2 * pair) * x.strides[0] + first * 2
        to = panel.ctypes.data + pair // _SIDE * _BYTES + pair % _SIDE * 64
        _pair(low, low + x.strides[0], to)
        _pair(low + 32, low + 32 + x.strides[0], to + _BYTES // 2)
    for pair in range(whole, steps * _SIDE):
        at = pair // _SIDE * _NUMBERS + pair % _SIDE * STEP
        for half in range(2):
            line = panel[at + half * _NUMBERS // 2 : at + half * _NUMBERS // 2 + STEP]
            line[:] = 0
            for row in range(start + 2 * pair, min(start + 2 * pair + 2, end)):
                for column in range(half * _SIDE, min(count, (half + 1) * _SIDE)):
                    line[2 * (column - half * _SIDE) + row - start - 2 * pair] = x[
                        row, first + column
                    ]


@compiled
def _lay_columns(x, first, count, start, end, panel):
    """Lay columns as rows: a line is 32 numbers of a column."""
    _lay_columns_by_pairs(x, first, count, start, end, panel)
    for half in range(2 * ((end - start + STEP - 1) // STEP)):
        at = panel.ctypes.data + half * _BYTES // 2
        _turn(at, 64, at)


@compiled
def _product(a, b, out, turned, add, plan, room, configuration):
    (deep, group), (_, right, _, rest) = plan, room
    depth = a.shape[0] if turned[0] else a.shape[1]
    if depth == 0 and not add:
        out[:] = stored(np.float32(0), out[0, 0])
    _configure(configuration.ctypes.data)
    for start in range(0, depth, deep):
        end, whole = min(start + deep, depth), start == 0 and not add
        size = (end - start + STEP - 1) // STEP * _NUMBERS
        for first in range(0, out.shape[1], group):
            last = min(first + group, out.shape[1])
            for column in range(first, last, BLOCK):
                at, count = (column - first) // BLOCK * size, min(BLOCK, last - column)
                if turned[1]:
                    _lay_rows_by_pairs(b, column, count, start, end, right[at : at + size], rest)
                else:
                    _lay_columns_by_pairs(b, column, count, start, end, right[at : at + size])
            _columns(a, out, turned[0], (start, end), (first, last), whole, room)
    _release()


@compiled
def _columns(a, out, turned, part, columns, whole, room):
    """Make or add to some columns of the product, for which the right operand is laid out."""
    (left, right, block, _), (start, end), (first, last) = room, part, columns
    steps, (rows, width) = (end - start + STEP - 1) // STEP, out.shape
    size, kept = steps * _NUMBERS, first > 0 or last < width
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
                _make_block(panel.ctypes.data, other, steps, to, width * 4, not whole)
                continue
            _make_block(panel.ctypes.data, other, steps, block.ctypes.data, BLOCK * 4, False)
            for each in range(count):
                there = to + each * width * out.itemsize
                _put_row(block.ctypes.data + each * BLOCK * 4, there, across, not whole, out[0, 0])
