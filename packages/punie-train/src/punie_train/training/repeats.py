"""Answers that many rows repeat: learned whole a few times, elsewhere as far as they tell answers apart.

A question is asked in many wordings and answered in the same words. Which answer belongs to it shows in the
answer's first words; the others follow from those, and a few rows are enough to teach them. A row that is
cut ends within its answer, so nothing teaches the model to stop there.

Covered: rows with one supervised turn. Rows with several are left as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from punie_train.training.rows import Row

__all__ = ["BEYOND", "shorten_repeats"]

BEYOND = 8
"""Tokens of an answer that are kept behind the one that tells it from all others."""


def shorten_repeats(rows: Sequence[Row], whole: int) -> list[Row]:
    """Return the rows, those cut short that repeat an answer which enough rows teach whole.

    Args:
        rows: the training rows.
        whole: how many rows of the same answer, the first ones, are left whole.
    """
    answers = [_answer(row) for row in rows]
    telling = _telling({answer for answer in answers if answer is not None})
    taught: Counter[tuple[int, ...]] = Counter()
    shortened = []
    for row, answer in zip(rows, answers, strict=True):
        if answer is not None:
            taught[answer] += 1
        cut = answer is not None and taught[answer] > whole
        shortened.append(_cut(row, telling[answer] + BEYOND) if answer and cut else row)
    return shortened


def _answer(row: Row) -> tuple[int, ...] | None:
    """The tokens of a row's only supervised turn, where that ends it."""
    first, last = row.supervised[0], row.supervised[-1]
    one = len(row.supervised) == last - first + 1 and last == len(row.tokens) - 1
    return row.tokens[first:] if one else None


def _telling(answers: set[tuple[int, ...]]) -> dict[tuple[int, ...], int]:
    """How many first tokens of each answer no other answer begins with."""
    ordered = sorted(answers)
    telling = dict.fromkeys(ordered, 1)
    for one, other in pairwise(ordered):
        alike = next(
            (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        telling[one] = max(telling[one], alike + 1)
        telling[other] = max(telling[other], alike + 1)
    return telling


def _cut(row: Row, length: int) -> Row:
    """The row with so many tokens of its answer, or as it is where it has no more."""
    supervised = row.supervised[:length]
    return replace(row, tokens=row.tokens[: supervised[-1] + 1], supervised=supervised)
