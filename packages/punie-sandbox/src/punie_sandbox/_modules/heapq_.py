"""`heapq`, with the algorithms of the standard library."""

# ruff: noqa: UP035
# Names and forms are the standard library's, in the subset that the interpreter runs.

from __future__ import annotations

from typing import Any, Callable, Iterable


def heappush(heap: list, item: Any) -> None:
    """Add an item."""
    heap.append(item)
    _up(heap, 0, len(heap) - 1)


def heappop(heap: list) -> Any:
    """Take the smallest item."""
    last = heap.pop()
    if not heap:
        return last
    smallest = heap[0]
    heap[0] = last
    _down(heap, 0)
    return smallest


def heapify(x: list) -> None:
    """Make a list a heap."""
    for index in reversed(range(len(x) // 2)):
        _down(x, index)


def heapreplace(heap: list, item: Any) -> Any:
    """Take the smallest item, then add one."""
    smallest = heap[0]
    heap[0] = item
    _down(heap, 0)
    return smallest


def heappushpop(heap: list, item: Any) -> Any:
    """Add an item, then take the smallest."""
    if heap and heap[0] < item:
        item, heap[0] = heap[0], item
        _down(heap, 0)
    return item


def merge(
    *iterables: Iterable[Any], key: Callable[[Any], Any] | None = None, reverse: bool = False
) -> list[Any]:
    """All items of sorted inputs, sorted (a list here, an iterator in the standard library)."""
    items = []
    for iterable in iterables:
        items.extend(iterable)
    return sorted(items, key=key, reverse=reverse)


def nsmallest(
    n: int, iterable: Iterable[Any], key: Callable[[Any], Any] | None = None
) -> list[Any]:
    """The n smallest items, smallest first."""
    return sorted(iterable, key=key)[: max(0, n)]


def nlargest(n: int, iterable: Iterable[Any], key: Callable[[Any], Any] | None = None) -> list[Any]:
    """The n largest items, largest first."""
    return sorted(iterable, key=key, reverse=True)[: max(0, n)]


def _up(heap: list, start: int, index: int) -> None:
    item = heap[index]
    while index > start:
        parent = (index - 1) // 2
        if not item < heap[parent]:
            break
        heap[index] = heap[parent]
        index = parent
    heap[index] = item


def _down(heap: list, index: int) -> None:
    end = len(heap)
    start = index
    item = heap[index]
    child = 2 * index + 1
    while child < end:
        right = child + 1
        if right < end and not heap[child] < heap[right]:
            child = right
        heap[index] = heap[child]
        index = child
        child = 2 * index + 1
    heap[index] = item
    _up(heap, start, index)
