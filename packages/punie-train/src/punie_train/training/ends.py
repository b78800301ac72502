"""Rows stop where the rest of them is known from other rows.

Hundreds of rows end alike: whoever wants the first error of this file or that one gets a program that, once
it has begun to read the first error, goes on as all others of its kind. A model learns such an end from the
first few rows; in the others it costs what the rest of the row costs and teaches nothing. So after a number
of whole rows the later ones stop a few tokens past the place that tells their end from every other. Nothing
is said there about the turn being over: what is cut off is neither learned nor unlearned.

Answers in prose are learned by heart, which takes more whole ones; after those a row still teaches which
question they belong to, and stops once that is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from os.path import commonprefix

from punie_train.training.rows import HEAD, Row

LEAST = 6
"""Tokens of an end that are looked at, at least, to tell it from others."""
MARGIN = 4
"""Tokens that stay past the place that tells an end from others."""
SPARED = 8
"""Tokens that a cut has to spare; the token that ends a turn is not taken from a row for less."""


def stop_at_known_ends(rows: Sequence[Row], whole: int) -> list[Row]:
    """Return the rows, each whose last turn is a program cut where its end is known from `whole` others.

    An end is what such a turn shares, to its last token, with more than `whole` others; it is known from the
    first place on after which no row goes on otherwise. Answers in prose are left to `stop_at_known_answers`.

    Args:
        rows: in the order of the data, which decides which of them stay whole.
        whole: how many rows keep an end that they share.
    """
    turns = [_last_turn(row) if row.acts else "" for row in rows]
    ends = _shared_ends(turns, whole)
    kept = {end: _told_after(end, turns) for end in set(ends)}
    seen: Counter[str] = Counter()
    cut = []
    for row, turn, end in zip(rows, turns, ends, strict=True):
        seen[end] += 1
        spared = len(end) - max(kept[end] + MARGIN, HEAD - (len(turn) - len(end)))
        cut.append(_shortened(row, spared) if spared >= SPARED and seen[end] > whole else row)
    return cut


def stop_at_known_answers(rows: Sequence[Row], whole: int) -> list[Row]:
    """Return the rows, each whose last turn is a text that `whole` others before it are cut after its head.

    Where a text ends is hard enough to learn: from three whole ones each, answers went round in circles
    (LOG.md).

    Args:
        rows: in the order of the data, which decides which of them stay whole.
        whole: how many rows keep a text whole.
    """
    seen: Counter[str] = Counter()
    cut = []
    for row in rows:
        turn = "" if row.acts else _last_turn(row)
        seen[turn] += 1
        spared = len(turn) - HEAD
        cut.append(_shortened(row, spared) if spared >= SPARED and seen[turn] > whole else row)
    return cut


def _last_turn(row: Row) -> str:
    """The last run of supervised tokens, a character each, so that ends are searched as text is."""
    start = len(row.supervised) - 1
    while start and row.supervised[start - 1] == row.supervised[start] - 1:
        start -= 1
    return "".join(chr(row.tokens[place] + 0x1_0000) for place in row.supervised[start:])


def _shared_ends(turns: Sequence[str], whole: int) -> list[str]:
    """For each turn the longest end that more than `whole` turns have; empty where there is none.

    Sorted from their ends, turns that share one stand side by side, and neighbours share what the first and
    the last of them do.
    """
    backward = sorted((turn[::-1], number) for number, turn in enumerate(turns))
    longest = [0] * len(turns)
    for at in range(len(turns) - whole):
        group = backward[at : at + whole + 1]
        ends = [group[0][0], group[-1][0]]
        shared = len(commonprefix(ends))  # noqa: RUF071 - characters are meant
        for _, number in group:
            longest[number] = max(longest[number], shared)
    return [turn[len(turn) - length :] for turn, length in zip(turns, longest, strict=True)]


def _told_after(end: str, turns: Sequence[str]) -> int:
    """How many tokens of an end it takes until whatever begins so goes on so to its last."""
    for length in range(LEAST, len(end)):
        head = end[:length]
        if all(turn[turn.index(head) :].startswith(end) for turn in turns if head in turn):
            return length
    return len(end)


def _shortened(row: Row, tokens: int) -> Row:
    return replace(
        row,
        tokens=row.tokens[:-tokens],
        supervised=row.supervised[:-tokens],
        weights=row.weights[:-tokens],
    )
