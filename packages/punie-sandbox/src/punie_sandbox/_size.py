"""The size of a value that crossed from the sandbox, written out.

Values keep their sharing when they cross: ten nested lists that hold one another ten times are small in memory
and ten billion items when walked. So the size is computed over the shared structure, before anything walks it.
"""

from __future__ import annotations

from typing import Any

from pydantic_monty import MontyClassProxy

__all__ = ["too_deep_or_large", "written_size"]

_ITEM = 8
_MAX_DEPTH = 200


def _children(value: Any) -> list[Any] | None:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, MontyClassProxy):
        return list(value.attributes.values())
    return None


def written_size(value: Any) -> tuple[int, int]:
    """Bytes (about) and depth of the value with all sharing written out."""
    if isinstance(value, (str, bytes)):
        return len(value) + _ITEM, 0
    if _children(value) is None:
        return (value.bit_length() // 8 if isinstance(value, int) else 0) + _ITEM, 0
    sizes: dict[int, tuple[int, int]] = {}
    stack: list[tuple[Any, list[Any] | None]] = [(value, None)]
    kept: list[Any] = []  # objects made on the way stay alive, so that their ids stay theirs
    while stack:
        node, children = stack.pop()
        if children is None:
            if id(node) in sizes:
                continue
            children = _children(node)
            if children is None:
                sizes[id(node)] = written_size(node)
                kept.append(node)
                continue
            kept.append(children)
            stack.append((node, children))
            stack.extend((child, None) for child in children if id(child) not in sizes)
            continue
        parts = [sizes.get(id(child), (0, 0)) for child in children]
        size = _ITEM + sum(part[0] for part in parts)
        sizes[id(node)] = size, 1 + max((part[1] for part in parts), default=0)
        kept.append(node)
    return sizes[id(value)]


def too_deep_or_large(value: Any, limit: int) -> str | None:
    """Why a value may not cross, or None if it may."""
    size, depth = written_size(value)
    if size > limit:
        return f"the value is larger than {limit} bytes"
    if depth > _MAX_DEPTH:
        return f"the value is nested more than {_MAX_DEPTH} levels deep"
    return None
