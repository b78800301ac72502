"""Claims: numbers that an answer states about something countable, such as "there are 3 errors".

Covered: comparing the numbers claimed in prose with those that are true. Not covered: any other claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SPELT = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ]
    )
} | {"no": 0}
_NUMBER = r"(?P<number>\d+|" + "|".join(_SPELT) + r")"
_BETWEEN = (
    r"(?:(?:type|typing|static|remaining|more|other|new|further|different|separate|ty) ){0,2}"
)


def claimed_numbers(text: str, noun: str) -> list[int]:
    """Return the numbers a text claims of a noun: `3 errors`, `no type errors`, `errors: 3`.

    Args:
        text: prose.
        noun: a regular expression of the noun, such as `errors?`.
    """
    plain = re.sub(r"[`*_\"']", "", text.casefold())
    before = rf"(?<![\w.:#])(?<!line )(?<!column ){_NUMBER} {_BETWEEN}(?:{noun})\b"
    after = rf"\b(?:{noun})(?: count)?(?: is| are| found|:|=)+ ?{_NUMBER}(?![\w.:])"
    return [
        int(found["number"]) if found["number"].isdigit() else _SPELT[found["number"]]
        for pattern in (before, after)
        for found in re.finditer(pattern, plain)
    ]


def false_claims(text: str, counts: Mapping[str, Iterable[int]]) -> list[str]:
    """Return what a text claims falsely, for people to read.

    Args:
        text: prose.
        counts: for each noun, the numbers that may be claimed.
    """
    wrong = []
    for noun, allowed in counts.items():
        right = set(allowed)
        wrong.extend(
            f"it claims {number} {noun.rstrip('?')}, true would be {' or '.join(map(str, sorted(right)))}"
            for number in claimed_numbers(text, noun)
            if number not in right
        )
    return wrong
