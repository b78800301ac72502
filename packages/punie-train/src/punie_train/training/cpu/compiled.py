"""Functions that Numba compiles, on numbers that are stored in float32, float16 or bfloat16.

What lies between matrix products is one pass over memory in such a function, and leaves Python's lock alone;
NumPy needs a pass for every operation, and converts float16 one number at a time. A function is compiled when
it is first called with arrays of certain types, and its machine code is kept on disk.

Compilers for CPUs know both half formats only as something to store: functions see their bits (uint16 for
float16, int16 for bfloat16), load them with `single`, compute in float32, and store with `stored`. Callers
pass arrays through `bits`. NumPy has no bfloat16: arrays of it are arrays of its bits, of type `BFLOAT16`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic as numbas_intrinsic

intrinsic: Any = numbas_intrinsic
# Sums may be reordered, which is what vectors need; infinity and NaN keep their meaning.
_HOW: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "fastmath": {"reassoc", "nsz", "arcp", "contract"},
    "error_model": "numpy",
}
compiled: Any = numba.njit(**_HOW)
inlined: Any = numba.njit(**_HOW, forceinline=True)
"""For functions that others call and whose sums may be reordered: one that is compiled on its own adds in
another order than the same within its caller, and which of them is called depends on what a process compiled
and what it found on disk."""


BFLOAT16: np.dtype = np.dtype(np.int16)
"""How arrays of bfloat16 are typed: the upper half of a float32's bits, as int16."""


class BFloat(ir.Type):
    """LLVM's type of a bfloat16, which llvmlite lacks."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


_STORED = (types.float32, types.uint16, types.int16)


def bits(array: np.ndarray) -> np.ndarray:
    """Return an array as compiled functions take it."""
    return array.view(np.uint16) if array.dtype == np.float16 else array


def function(builder: Any, name: str, kind: ir.FunctionType) -> Any:
    """Return a function of LLVM's, declared in the module that is built if it is not yet."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@intrinsic
def single(_context: Any, number: Any) -> Any:
    """Return a stored number as float32."""
    if number not in _STORED:
        return None

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if signature.args[0] == types.float32:
            return arguments[0]
        if signature.args[0] == types.int16:
            word = builder.zext(arguments[0], ir.IntType(32))
            return builder.bitcast(builder.shl(word, ir.Constant(word.type, 16)), ir.FloatType())
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(number), generate


@intrinsic
def stored(_context: Any, number: Any, like: Any) -> Any:
    """Return a float32 as it is stored where `like` comes from."""
    if number != types.float32 or like not in _STORED:
        return None

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if signature.args[1] == types.float32:
            return arguments[0]
        if signature.args[1] == types.int16:
            return _rounded_to_bfloat16(builder, arguments[0])
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return like(number, like), generate


def _rounded_to_bfloat16(builder: Any, number: Any) -> Any:
    """Return the bits of the nearest bfloat16, of two the even one, by whole numbers.

    LLVM makes loops of these that are as wide as the CPU's vectors, where those of its own conversion take
    four numbers at a time; and on a CPU without an instruction it calls a function that is not there.
    """
    word, half = ir.IntType(32), ir.IntType(16)

    def constant(value: int) -> Any:
        return ir.Constant(word, value)

    whole = builder.bitcast(number, word)
    upper = builder.lshr(whole, constant(16))
    up = builder.add(builder.and_(upper, constant(1)), constant(0x7FFF))
    nearest = builder.lshr(builder.add(whole, up), constant(16))
    quiet = builder.or_(upper, constant(0x40))  # a NaN stays one
    is_nan = builder.fcmp_unordered("uno", number, number)
    return builder.trunc(builder.select(is_nan, quiet, nearest), half)


@intrinsic
def power_of_two(_context: Any, exponent: Any) -> Any:
    """Return 2 to an int32 between -126 and 127 as float32."""
    if exponent != types.int32:
        return None

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(32)
        biased = builder.add(arguments[0], ir.Constant(whole, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(whole, 23)), ir.FloatType())

    return types.float32(exponent), generate


@intrinsic
def larger(_context: Any, one: Any, other: Any) -> Any:
    """Return the larger of two float32, or either where one is NaN; comparisons do not become vector code."""
    if one != types.float32 or other != types.float32:
        return None

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        single = ir.FloatType()
        kind = ir.FunctionType(single, [single, single])
        function = builder.module.declare_intrinsic("llvm.maxnum", [single], kind)
        return builder.call(function, arguments, fastmath=("nnan", "nsz"))

    return types.float32(one, other), generate


_FLUSH_TO_ZERO, _DENORMALS_ARE_ZERO = 1 << 15, 1 << 6


@intrinsic
def _set_control_bits(_context: Any, wanted: Any) -> Any:
    """Set bits of the calling thread's MXCSR register."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        place = builder.alloca(word)
        pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type])
        builder.call(function(builder, "llvm.x86.sse.stmxcsr", kind), [pointer])
        both = builder.or_(builder.load(place), builder.trunc(arguments[0], word))
        builder.store(both, place)
        builder.call(function(builder, "llvm.x86.sse.ldmxcsr", kind), [pointer])
        return context.get_dummy_value()

    return types.void(wanted), generate


@compiled
def _set_bits(wanted):
    _set_control_bits(wanted)


def flush_denormals() -> None:
    """Let the calling thread take numbers below 1.2e-38 for zero; x86 is a hundred times slower with them."""
    _set_bits(_FLUSH_TO_ZERO | _DENORMALS_ARE_ZERO)


@inlined
def exp(x):
    """Return e to a float32: Cephes' `expf`, without branches so that it becomes vector code (2 ulp)."""
    low, high = np.float32(-87.0), np.float32(88.0)
    x = low if x < low else high if x > high else x  # noqa: FURB136 - NaN stays NaN
    n = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    r = x - n * np.float32(0.693359375)
    r += n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return (p * r * r + r + np.float32(1)) * power_of_two(np.int32(n))


@inlined
def copy(x, out):
    """Write flat numbers as they are stored elsewhere."""
    for i in range(out.size):
        out[i] = stored(single(x[i]), out[i])


@inlined
def highest(row, least):
    """Return the highest number of a row, or the one given if that is higher."""
    for j in range(row.size):
        least = larger(single(row[j]), least)
    return least


@inlined
def sum_of_exponentials(scores, largest):
    """Return the sum of e to the distance of each score from the largest."""
    total = np.float32(0)
    for j in range(scores.size):
        total += exp(single(scores[j]) - largest)
    return total


@inlined
def scale_exponentials(scores, largest, scale):
    """Replace each score by `scale` times e to its distance from the largest."""
    for j in range(scores.size):
        scores[j] = stored(scale * exp(single(scores[j]) - largest), scores[j])
