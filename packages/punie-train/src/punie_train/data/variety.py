"""Which phrasings stand for all others: where only some can be used, those that the rest is like.

A pool of phrasings has many that are nearly the same and some that are like no other. Drawn by chance, a
third of a pool repeats the former and misses most of the latter. Here they are ordered so that, however many
of them are taken, each of the pool is as near as can be to one that was: the facility location of submodular
subset selection (Lin and Bilmes, 2011, https://aclanthology.org/P11-1052), by greedy choice, which is within
1 - 1/e of the best there is (Nemhauser, Wolsey and Fisher, 1978).

Covered: the order. Not covered: near-duplicates that may not be used at all (`punie_train.data.likeness`).
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

__all__ = ["typical_first"]

_UNITS = 1 << 20
"""Likenesses are whole numbers of so many parts, so that sums of them are the same in every order."""
_WORD = re.compile(r"\{\w+\}|\w+|[^\w\s]")


def typical_first(phrasings: Sequence[str]) -> list[str]:
    """Return the phrasings so that the first of them, however many, stand for all.

    Two are alike by the words and pairs of words they share, of which rare ones count more (the cosine of
    their tf-idf). Of those that would do equally well the one that is given first comes first.
    """
    return list(_ordered(tuple(phrasings)))


@lru_cache(maxsize=256)
def _ordered(phrasings: tuple[str, ...]) -> tuple[str, ...]:
    if not phrasings:
        return ()
    alike = _likeness(phrasings)
    nearest = np.zeros(len(phrasings), np.int64)  # how near each one is to those that were taken
    # What a phrasing adds only ever shrinks, so an old figure that is beaten need not be computed anew.
    waiting = [(-gain, place) for place, gain in enumerate(alike.sum(axis=1).tolist())]
    heapq.heapify(waiting)
    order: list[int] = []
    while waiting:
        _, place = waiting[0]
        gain = np.maximum(alike[place] - nearest, 0).sum().item()
        heapq.heapreplace(waiting, (-gain, place))
        if waiting[0][1] == place:
            heapq.heappop(waiting)
            order.append(place)
            np.maximum(nearest, alike[place], out=nearest)
    return tuple(phrasings[place] for place in order)


def _likeness(phrasings: Sequence[str]) -> np.ndarray:
    """Return how alike any two are, from 0 to _UNITS, as a symmetric matrix."""
    counted = [_features(each) for each in phrasings]
    common = Counter(feature for features in counted for feature in features)
    column = {feature: number for number, feature in enumerate(common)}
    weights = np.zeros((len(phrasings), len(column)))
    for row, features in enumerate(counted):
        for feature in features:
            rarity = np.log(1 + len(phrasings) / common[feature])
            weights[row, column[feature]] = rarity
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9)
    return np.rint(weights @ weights.T * _UNITS).astype(np.int64)


def _features(phrasing: str) -> list[str]:
    """Return words and pairs of words, each once, in an order that does not depend on the process."""
    words = ["<", *_WORD.findall(phrasing.lower()), ">"]
    pairs = (f"{one} {other}" for one, other in pairwise(words))
    return list(dict.fromkeys([*words[1:-1], *pairs]))
