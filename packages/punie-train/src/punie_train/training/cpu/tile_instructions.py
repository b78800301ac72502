"""The instructions that products on tiles are made of, as functions for those that Numba compiles.

Covered: AMX-BF16 tiles, all of 16 rows of 64 bytes, and what lays operands out for them. Everything is given
by address, and distances in bytes. A process asks Linux for leave to use tiles (`may_use_tiles`), once and
for all of its threads.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from punie_train.training.cpu.bfloat16 import aligned
from punie_train.training.cpu.compiled import BFloat, function, intrinsic

BLOCK = 32
"""Rows, and columns, of the product that are made at a time."""
STEP = 32
"""Numbers of the summed axis that pass by at a time."""
SIDE = 16
"""Rows of a tile, and numbers of a row of sums."""
NUMBERS, BYTES = BLOCK * STEP, 2 * BLOCK * STEP
"""What an operand has in a step."""

_ARCH_REQ_XCOMP_PERM, _XTILEDATA, _SYS_ARCH_PRCTL = 0x1023, 18, 158


@cache
def may_use_tiles() -> bool:
    """Ask Linux for leave to use tiles, as it wants to be (Documentation/arch/x86/xstate.rst)."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    system = ctypes.CDLL(None).syscall
    return system(_SYS_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XTILEDATA) == 0


def _configuration() -> np.ndarray:
    """All eight tiles have 16 rows of 64 bytes; the palette is the first and only one."""
    found = aligned(64, np.uint8)
    found[:] = 0
    found[0] = 1
    found[16:32].view(np.uint16)[:] = [64] * 8
    found[48:56] = SIDE
    return found


CONFIGURATION = _configuration()


_ADDRESS, _BYTE, _NOTHING = ir.IntType(64), ir.IntType(8), ir.VoidType()
_POINTER = _BYTE.as_pointer()
_WORDS, _HALVES = ir.VectorType(ir.IntType(32), SIDE), ir.VectorType(ir.IntType(16), SIDE)


def _number(value: int) -> Any:
    return ir.Constant(_ADDRESS, value)


def _tile(value: int) -> Any:
    return ir.Constant(_BYTE, value)


def _at(builder: Any, base: Any, offset: Any, kind: ir.Type = _BYTE) -> Any:
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def _instruction(builder: Any, name: str, *arguments: ir.Type) -> Any:
    return function(builder, f"llvm.x86.{name}", ir.FunctionType(_NOTHING, arguments))


@intrinsic
def configure(_context: Any, _configuration: Any) -> Any:
    """Let the calling thread's tiles be as the 64 bytes at an address say."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        where = builder.inttoptr(arguments[0], _POINTER)
        builder.call(_instruction(builder, "ldtilecfg", _POINTER), [where])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def release(_context: Any) -> Any:
    """Give the tiles back, so that nobody has to save them."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.call(_instruction(builder, "tilerelease"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def make_block(
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
            row = builder.mul(line, _number(SIDE * (index // 2)))
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
    at = builder.mul(number, _number(BYTES))
    for tile, operand, half in ((4, left, 0), (5, left, 1), (6, right, 0), (7, right, 1)):
        place = _at(builder, operand, builder.add(at, _number(BYTES // 2 * half)))
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
def put_row(_context: Any, sums: Any, to: Any, count: Any, add: Any, like: Any) -> Any:
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
    load = function(builder, f"llvm.masked.load.{name}", loaded)
    store = function(builder, f"llvm.masked.store.{name}", stored_as)

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
def interleave(_context: Any, low: Any, high: Any, to: Any) -> Any:
    """Lay 16 numbers of two rows side by side, by turns; all three are addresses."""
    del low, high, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        *given, to = arguments
        low, high = (builder.load(_at(builder, x, _number(0), _HALVES), align=2) for x in given)
        turns = [place for lane in range(SIDE) for place in (lane, SIDE + lane)]
        both = builder.shuffle_vector(
            low, high, ir.Constant(ir.VectorType(ir.IntType(32), 32), turns)
        )
        builder.store(both, _at(builder, to, _number(0), both.type), align=64)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate


@intrinsic
def copy_line(_context: Any, source: Any, to: Any) -> Any:
    """Copy 64 bytes from one address to another."""
    del source, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, to = arguments
        line = builder.load(_at(builder, source, _number(0), _WORDS), align=2)
        builder.store(line, _at(builder, to, _number(0), _WORDS), align=64)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def turn(_context: Any, source: Any, line: Any, to: Any) -> Any:
    """Transpose 16 rows of 16 words (32 bits), which may be done in place.

    Given are the address of the first row, the distance of rows in bytes, and an address for what comes of
    it, whose rows are 64 bytes apart. Halves change places, then quarters, eighths and single words.
    """
    del source, line, to

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, line, to = arguments
        places = [builder.mul(line, _number(row)) for row in range(SIDE)]
        rows = [builder.load(_at(builder, source, place, _WORDS), align=2) for place in places]
        for far in (8, 4, 2, 1):
            stay = [lane if not lane & far else SIDE + lane - far for lane in range(SIDE)]
            move = [lane + far if not lane & far else SIDE + lane for lane in range(SIDE)]
            for row in (row for row in range(SIDE) if not row & far):
                pair = rows[row], rows[row + far]
                rows[row], rows[row + far] = (
                    builder.shuffle_vector(*pair, ir.Constant(_WORDS, lanes))
                    for lanes in (stay, move)
                )
        for row, words in enumerate(rows):
            builder.store(words, _at(builder, to, _number(64 * row), _WORDS), align=64)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate
