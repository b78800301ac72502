"""The size of a value that crossed from the sandbox, written out.

Values keep their sharing when they cross: ten nested lists that hold one another ten times are small in
memory and ten billion items when walked. So the size is computed over the shared structure, before anything
walks it.
"""

from __future__ import annotations

from typing import Any

from pydantic_monty import MontyClassProxy

__all__ = ["LONGEST_INT", "written_size"]

LONGEST_INT = 14_000
"""Bits of an integer that can be written in decimals; Python refuses more than 4300 digits."""

_ITEM = 8
_SCALARS = {type(None), bool, float}


def written_size(value: Any) -> tuple[int, int, int]:
    """Bytes (about) and depth of the value with all sharing written out, and bits of its longest integer."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) + _ITEM, 0, 0
    if kind in _SCALARS:
        return _ITEM, 0, 0
    if kind is int:
        bits = value.bit_length()
        return bits // 8 + _ITEM, 0, bits
    children = _children(value)
    return (_ITEM, 0, 0) if children is None else _structure(value, children)


def _children(value: Any) -> list[Any] | None:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, MontyClassProxy):
        return list(value.attributes.values())
    return None


def _structure(value: Any, children: list[Any]) -> tuple[int, int, int]:
    """Sizes bottom up, each object once; no recursion, because the nesting is the sandbox's choice."""
    sizes: dict[int, tuple[int, int, int]] = {}
    stack: list[tuple[Any, list[Any]]] = [(value, children)]
    kept: list[Any] = []  # objects made on the way stay alive, so that their ids stay theirs
    while stack:
        node, parts = stack[-1]
        open_parts = False
        size, depth, bits = _ITEM, 0, 0
        for part in parts:
            known = sizes.get(id(part))
            if known is None:
                inner = _children(part)
                if inner is not None:
                    stack.append((part, inner))
                    kept.append(inner)
                    open_parts = True
                    continue
                known = written_size(part)
            size += known[0]
            depth = max(depth, known[1])
            bits = max(bits, known[2])
        if not open_parts:
            stack.pop()
            kept.append(node)
            sizes[id(node)] = size, depth + 1, bits
    return sizes[id(value)]
