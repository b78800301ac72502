"""What a pass over few tokens computes, compiled: products, attention and what lies between, in float32.

A pass over one token reads all weights once, and one over sixteen hardly takes longer, if a weight that was
read is used for all of them. So `product` keeps a block of four rows of weights by four tokens in registers,
each of its sums in a vector. MKL's products of so few rows are two to three times slower on the CPUs this was
measured on (LOG.md).

Functions compute a part of their result, from `first` to `last`, so that cores can share it. They leave
Python's lock alone. Arrays are contiguous along their last axis.

Covered: float32. Not covered: many rows, for which MKL is faster (`punie_train.evaluation.packed`).
"""

from __future__ import annotations

import numpy as np

from punie_train.training.cpu.compiled import (
    compiled,
    exp,
    highest,
    scale_exponentials,
    sum_of_exponentials,
)


@compiled
def product(x, w, out, first, last):
    """Write the columns from `first` to `last` of x · wᵀ; x is (tokens, depth), w (width, depth)."""
    (rows, depth), zero = x.shape, np.float32(0)
    m = first
    while m + 4 <= last:
        w0, w1, w2, w3 = w[m], w[m + 1], w[m + 2], w[m + 3]
        r = 0
        while r + 4 <= rows:
            x0, x1, x2, x3 = x[r], x[r + 1], x[r + 2], x[r + 3]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zero
            for k in range(depth):
                v0, v1, v2, v3 = w0[k], w1[k], w2[k], w3[k]
                u = x0[k]
                a0, a1, a2, a3 = a0 + u * v0, a1 + u * v1, a2 + u * v2, a3 + u * v3
                u = x1[k]
                b0, b1, b2, b3 = b0 + u * v0, b1 + u * v1, b2 + u * v2, b3 + u * v3
                u = x2[k]
                c0, c1, c2, c3 = c0 + u * v0, c1 + u * v1, c2 + u * v2, c3 + u * v3
                u = x3[k]
                d0, d1, d2, d3 = d0 + u * v0, d1 + u * v1, d2 + u * v2, d3 + u * v3
            _write(out[r], m, a0, a1, a2, a3)
            _write(out[r + 1], m, b0, b1, b2, b3)
            _write(out[r + 2], m, c0, c1, c2, c3)
            _write(out[r + 3], m, d0, d1, d2, d3)
            r += 4
        while r < rows:
            x0 = x[r]
            a0 = a1 = a2 = a3 = zero
            for k in range(depth):
                u = x0[k]
                a0, a1, a2, a3 = a0 + u * w0[k], a1 + u * w1[k], a2 + u * w2[k], a3 + u * w3[k]
            _write(out[r], m, a0, a1, a2, a3)
            r += 1
        m += 4
    while m < last:
        w0 = w[m]
        for r in range(rows):
            x0, a0 = x[r], zero
            for k in range(depth):
                a0 += x0[k] * w0[k]
            out[r, m] = a0
        m += 1


@compiled
def _write(row, at, one, two, three, four):
    row[at], row[at + 1], row[at + 2], row[at + 3] = one, two, three, four


@compiled
def products(x, ws, outs, part, parts):
    """Write one of some parts of the products with each of some weights."""
    for w, out in zip(ws, outs):  # noqa: B905 - Numba's `zip` knows no `strict`
        product(x, w, out, len(w) * part // parts, len(w) * (part + 1) // parts)


@compiled
def added_product(x, w, out, room, part, parts):
    """Add one of some parts of x · wᵀ to `out`."""
    first, last = len(w) * part // parts, len(w) * (part + 1) // parts
    product(x, w, room, first, last)
    for r in range(len(x)):
        for j in range(first, last):
            out[r, j] += room[r, j]


@compiled
def gated_product(x, gate, up, outs, part, parts):
    """Write one of some parts of silu(x · gateᵀ) times x · upᵀ into the first of two arrays."""
    first, last = len(gate) * part // parts, len(gate) * (part + 1) // parts
    product(x, gate, outs[0], first, last)
    product(x, up, outs[1], first, last)
    for r in range(len(x)):
        apply_gate(outs[0][r, first:last], outs[1][r, first:last])


@compiled
def gated(gates, ups):
    """Replace each number of the first array by its silu times that of the second."""
    for r in range(len(gates)):
        apply_gate(gates[r], ups[r])


@compiled
def apply_gate(one, other):
    """Replace each number of the first array by its silu times that of the second."""
    for j in range(one.size):
        one[j] = one[j] * other[j] / (np.float32(1) + exp(-one[j]))


@compiled
def attend(new, cache, before, turning, out, groups):
    """Write the attention of some tokens of a conversation to all before them and themselves.

    Args:
        new: their queries (tokens, heads, size), keys and values (tokens, groups, size); queries and keys
            are turned in place.
        cache: keys (groups, room, size) and values (groups, size, room), so that a sum over tokens is a
            product, too. The new ones are written behind those before.
        before: how many tokens came before.
        turning: the cosines and the sines of each position.
        out: (tokens, heads, size).
        groups: from which group of heads to which.
    """
    (q, k, v), (keys, values) = new, cache
    tokens, size, each = len(q), q.shape[2], q.shape[1] // len(keys)
    rows, span = tokens * each, before + tokens
    x, scores = np.empty((rows, size), np.float32), np.empty((rows, span), np.float32)
    scale = np.float32(1) / np.sqrt(np.float32(size))
    for group in range(groups[0], groups[1]):
        mine = slice(group * each, (group + 1) * each)
        for t in range(tokens):
            cosine, sine = turning[0][before + t], turning[1][before + t]
            _turn(k[t, group : group + 1], cosine, sine)
            _turn(q[t, mine], cosine, sine)
            x[t * each : (t + 1) * each] = q[t, mine] * scale
            keys[group, before + t] = k[t, group]
            for j in range(size):
                values[group, j, before + t] = v[t, group, j]
        product(x, keys[group, :span], scores, 0, span)
        _weigh(scores, before, each)
        product(scores, values[group, :, :span], x, 0, size)
        for r in range(rows):
            out[r // each, group * each + r % each] = x[r]


@compiled
def _turn(heads, cosine, sine):
    """Turn heads by their position, by halves as in Llama; heads is (heads, size), in place."""
    count, half = heads.shape[0], heads.shape[1] // 2
    for h in range(count):
        low, high = heads[h, :half], heads[h, half:]
        for j in range(half):
            one, other = low[j], high[j]
            low[j] = one * cosine[j] - other * sine[j]
            high[j] = other * cosine[j] + one * sine[j]


@compiled
def _weigh(scores, before, each):
    """Make weights of scores; what a query may not see, because it comes later, has none."""
    for r in range(len(scores)):
        seen, row = before + r // each + 1, scores[r]
        largest = highest(row[:seen], np.float32(-np.inf))
        total = sum_of_exponentials(row[:seen], largest)
        scale_exponentials(row[:seen], largest, np.float32(1) / total)
        row[seen:] = np.float32(0)
