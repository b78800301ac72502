"""Products with quantised weights as they are stored: codes of at most a byte, 32 of which share a scale.

A pass over few tokens takes as long as it takes to read all weights, and codes with their scales are less
than a third of what they stand for in float32. A sum over 32 of them is made with the codes themselves, and
scaled once; what their offset adds is a product of the offsets with the sums of 32 inputs each. The result is
that of the weights in float32, but for the order of sums.

Functions have the names and arguments of those of `packed_kernels`, for which they stand in.

Covered: affine codes of 2 to 8 bits in groups of a multiple of 32, as MLX stores them, on CPUs with AVX512
(vectors of 16 numbers; narrower ones have not been measured). Not covered: many tokens, for which weights in
float32 are faster (`punie_train.evaluation.packed`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from punie_train.evaluation.packed_kernels import apply_gate, product
from punie_train.mlx import mx
from punie_train.training.cpu.compiled import compiled, function, intrinsic
from punie_train.training.cpu.products import cpu_flags

__all__ = ["Codes", "added_product", "codes_of", "gated_product", "products"]

SHARED = 32
"""Weights that share a scale and an offset, of which there may be several alike."""
_LANES = 16


class Codes(NamedTuple):
    """A (width, depth) matrix whose numbers are `codes` · `scales` + `offsets`.

    Attributes:
        codes: (width, depth), uint8.
        scales: (width, depth / SHARED), float32.
        offsets: like `scales`.
    """

    codes: np.ndarray
    scales: np.ndarray
    offsets: np.ndarray


def codes_of(module: Any, cpu: Path = Path("/proc/cpuinfo")) -> Codes | None:
    """What a quantised module of MLX's stores; None where that, or this CPU, is not covered."""
    covered = getattr(module, "mode", "affine") == "affine" and not module.group_size % SHARED
    if "avx512f" not in cpu_flags(cpu) or not covered or module.bits > 8:
        return None
    scales = module.scales
    given = mx.ones_like(scales), mx.zeros_like(scales), module.group_size, module.bits
    codes = mx.dequantize(module.weight, *given).astype(mx.uint8)
    alike = module.group_size // SHARED
    per_group = (
        np.repeat(np.asarray(x.astype(mx.float32)), alike, axis=1) for x in (scales, module.biases)
    )
    return Codes(np.array(codes), *per_group)


_WORD, _REAL = ir.IntType(64), ir.FloatType()
_VECTOR, _CODES = ir.VectorType(_REAL, _LANES), ir.VectorType(ir.IntType(8), _LANES)
_LANE_NUMBERS = ir.VectorType(ir.IntType(32), _LANES)


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


def _load(builder: Any, base: Any, offset: Any, kind: ir.Type, align: int) -> Any:
    place = builder.inttoptr(builder.add(base, offset), kind.as_pointer())
    return builder.load(place, align=align)


def _spread(builder: Any, value: Any) -> Any:
    """A number in all lanes."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_LANE_NUMBERS, [0] * _LANES))


def _values(builder: Any, base: Any, offset: Any) -> list[Any]:
    """The codes that share a scale, as float32."""
    found = []
    for first in range(0, SHARED, _LANES):
        codes = _load(builder, base, builder.add(offset, _number(first)), _CODES, 1)
        found.append(builder.uitofp(builder.zext(codes, _LANE_NUMBERS), _VECTOR))
    return found


def _adding(rows: int, columns: int) -> Any:
    """Return a function that adds some columns of a product, without offsets, for some rows of inputs."""

    @intrinsic
    def add(
        _context: Any, x: Any, codes: Any, scales: Any, groups: Any, out: Any, strides: Any
    ) -> Any:
        """Given are addresses, the number of groups, and how far rows of inputs and outputs are apart."""
        del x, codes, scales, groups, out, strides
        generate = _generate_adding(rows, columns)
        return types.void(*[types.intp] * 5, types.UniTuple(types.intp, 2)), generate

    return add


def _generate_adding(rows: int, columns: int) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, codes, scales, groups, out, strides = arguments
        x_line, out_line = (builder.extract_value(strides, each) for each in range(2))
        code_line = builder.mul(groups, _number(SHARED))
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        fma = function(builder, f"llvm.fma.v{_LANES}f32", kind)
        before, loop, done = (
            builder.block,
            *(builder.append_basic_block(b) for b in ("groups", "done")),
        )
        builder.branch(loop)
        builder.position_at_end(loop)
        group = builder.phi(_WORD)
        group.add_incoming(_number(0), before)
        sums = [builder.phi(_VECTOR) for _ in range(rows * columns)]
        at = builder.mul(group, _number(SHARED))
        found = []
        for column in range(columns):
            offset = builder.add(builder.mul(code_line, _number(column)), at)
            place = builder.mul(
                builder.add(builder.mul(groups, _number(column)), group), _number(4)
            )
            scale = _spread(builder, _load(builder, scales, place, _REAL, 4))
            found.append((_values(builder, codes, offset), scale))
        results = []
        for row in range(rows):
            line = builder.add(builder.mul(x_line, _number(row)), builder.mul(at, _number(4)))
            places = [builder.add(line, _number(4 * first)) for first in range(0, SHARED, _LANES)]
            inputs = [_load(builder, x, place, _VECTOR, 4) for place in places]
            for values, scale in found:
                part = builder.fmul(inputs[0], values[0])
                for each, value in zip(inputs[1:], values[1:], strict=True):
                    part = builder.call(fma, [each, value, part])
                results.append(builder.call(fma, [part, scale, sums[len(results)]]))
        following = builder.add(group, _number(1))
        group.add_incoming(following, loop)
        for old, new in zip(sums, results, strict=True):
            old.add_incoming(ir.Constant(_VECTOR, [0.0] * _LANES), before)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, groups), loop, done)
        builder.position_at_end(done)
        _add_totals(builder, results, columns, out, out_line)
        return context.get_dummy_value()

    return generate


def _add_totals(builder: Any, sums: list[Any], columns: int, out: Any, line: Any) -> None:
    name, kind = f"llvm.vector.reduce.fadd.v{_LANES}f32", ir.FunctionType(_REAL, [_REAL, _VECTOR])
    total = function(builder, name, kind)
    for index, vector in enumerate(sums):
        row, column = divmod(index, columns)
        offset = builder.add(builder.mul(line, _number(row)), _number(4 * column))
        place = builder.inttoptr(builder.add(out, offset), _REAL.as_pointer())
        whole = builder.call(total, [ir.Constant(_REAL, 0.0), vector], fastmath=("reassoc",))
        builder.store(builder.fadd(builder.load(place, align=4), whole), place, align=4)


_four_by_four, _one_by_four, _one_by_one = _adding(4, 4), _adding(1, 4), _adding(1, 1)


@compiled
def coded_product(x, w, out, first, last):
    """Write the columns from `first` to `last` of x · wᵀ; x is (tokens, depth)."""
    codes, scales, offsets = w
    (rows, groups), depth = (len(x), scales.shape[1]), x.shape[1]
    sums = np.empty((rows, groups), np.float32)
    for r in range(rows):
        for g in range(groups):
            total = np.float32(0)
            for k in range(g * SHARED, (g + 1) * SHARED):
                total += x[r, k]
            sums[r, g] = total
    product(sums, offsets, out, first, last)
    lines, base, to = (x.strides[0], out.strides[0]), x.ctypes.data, out.ctypes.data
    for m in range(first, last, 4):
        if m + 4 <= last:
            code, scale = codes.ctypes.data + m * depth, scales.ctypes.data + m * groups * 4
            r = 0
            while r + 4 <= rows:
                place = to + r * lines[1] + m * 4
                _four_by_four(base + r * lines[0], code, scale, groups, place, lines)
                r += 4
            while r < rows:
                place = to + r * lines[1] + m * 4
                _one_by_four(base + r * lines[0], code, scale, groups, place, lines)
                r += 1
            continue
        for column in range(m, last):
            code, scale = (
                codes.ctypes.data + column * depth,
                scales.ctypes.data + column * groups * 4,
            )
            for r in range(rows):
                place = to + r * lines[1] + column * 4
                _one_by_one(base + r * lines[0], code, scale, groups, place, lines)


@compiled
def products(x, ws, outs, part, parts):
    """Write one of some parts of the products with each of some weights."""
    for w, out in zip(ws, outs):  # noqa: B905 - Numba's `zip` knows no `strict`
        width = len(w[0])
        coded_product(x, w, out, width * part // parts, width * (part + 1) // parts)


@compiled
def added_product(x, w, out, room, part, parts):
    """Add one of some parts of x · wᵀ to `out`."""
    first, last = len(w[0]) * part // parts, len(w[0]) * (part + 1) // parts
    coded_product(x, w, room, first, last)
    for r in range(len(x)):
        for j in range(first, last):
            out[r, j] += room[r, j]


@compiled
def gated_product(x, gates, ups, outs, part, parts):
    """Write one of some parts of silu(x · gatesᵀ) times x · upsᵀ into the first of two arrays."""
    first, last = len(gates[0]) * part // parts, len(gates[0]) * (part + 1) // parts
    coded_product(x, gates, outs[0], first, last)
    coded_product(x, ups, outs[1], first, last)
    for r in range(len(x)):
        apply_gate(outs[0][r, first:last], outs[1][r, first:last])
