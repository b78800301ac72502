"""Claims: numbers that an answer states about something countable, such as "there are 3 errors".

A number may be claimed of the whole or of a part: of a file, a line, a code, or what is named after the noun.
Parts are right when they sum to the truth, or when the truth is claimed beside them and they fit into it.
"No other errors" is said of what is left, and claims nothing of the whole.

Covered: comparing the numbers claimed in prose with those that are true. Not covered: any other claim, and
whether a part is where it is said to be.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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
_OTHERS = ("other", "more", "further", "remaining", "additional")
_BETWEEN = (
    r"(?P<between>(?:(?:type|typing|static|"
    + "|".join(_OTHERS)
    + r"|new|different|separate|ty) ){0,3})"
)
_BESIDES = re.compile(
    r"(?: (?:is|are|was|were|have been|has been|found|reported|there|any|at all|in [\w./-]*\w))*"
    r" (?:left|remain|remains|remaining|else|elsewhere|anywhere else|besides|other than|apart from|except)\b"
)
"""What follows "no errors" where only those that are not yet named are meant."""

_START = re.compile(r"[,;\n](?! ?there)|[.!?](?=\s)| (?:and|but) ")
_END = re.compile(r"[,;\n]|:(?!\d)|[.!?](?=\s|$)| (?:and|but) ")
_LINE = re.compile(r"\blines? ?(\d+)|(?<=\w):(\d+)")
_PATH = re.compile(r"[\w.-]*/[\w./-]*|[\w-]+\.[a-z]\w*")
_CODE = re.compile(r"\b[a-z]+(?:-[a-z]+)+\b")
_ABOUT = re.compile(
    r"(?:(?: (?:is|are|was|were|found|each|reported))*"
    r" (?:about|for|of|from|with|in|on|at|under|because of|due to|concerning|regarding) (?:an? )?| is an? )"
    r"(?P<what>(?:the )?\w+(?: \w+)?)"
)
_WHOLE = re.compile(
    r"(?:total|all|sum|it|this|that|your|our|the (?:whole|entire|project|workspace|codebase|code|file|folder"
    r"|module|package|directory|repository|program|output|result|check))\b"
)
"""What follows "errors in" or "errors of" where nothing smaller than the whole is named."""

Kind = Literal["line", "path", "code", "other"]


@dataclass(frozen=True)
class _Claim:
    """A number that is claimed of a noun.

    Attributes:
        number: the number.
        place: the part it is claimed of; empty where it is the whole.
        kind: what names that part.
        besides: whether it is said of what is not named yet.
    """

    number: int
    place: frozenset[str]
    kind: Kind
    besides: bool


def claimed_numbers(text: str, noun: str) -> list[int]:
    """Return the numbers a text claims of a noun: `3 errors`, `no type errors`, `errors: 3`.

    Args:
        text: prose.
        noun: a regular expression of the noun, such as `errors?`.
    """
    return [claim.number for claim in _claims(text, noun)]


def _claims(text: str, noun: str) -> list[_Claim]:
    plain = re.sub(r"[`*_\"']", "", text.casefold())
    before = re.compile(
        rf"(?<![\w.:#])(?<!line )(?<!column ){_NUMBER} {_BETWEEN}(?P<noun>{noun})\b"
    )
    after = re.compile(
        rf"(?P<between>\b(?:(?:{'|'.join(_OTHERS)}) )?)\b(?P<noun>{noun})(?: count)?"
        rf"(?: is| are| found|:|=)+ ?{_NUMBER}(?![\w.:])"
    )
    found = list(before.finditer(plain))
    # A noun that has its number before it is not given the next one too: "2 errors: 1 in a.py".
    taken = {match.start("noun") for match in found}
    found += [match for match in after.finditer(plain) if match.start("noun") not in taken]
    return [_claim(plain, match, found) for match in found]


def _claim(plain: str, match: re.Match[str], every: Sequence[re.Match[str]]) -> _Claim:
    number = int(match["number"]) if match["number"].isdigit() else _SPELT[match["number"]]
    start = max((each.end() for each in every if each.end() <= match.start()), default=0)
    end = min((each.start() for each in every if each.start() >= match.end()), default=len(plain))
    left, right = plain[start : match.start()], plain[match.end() : end]
    left = left[max((stop.end() for stop in _START.finditer(left)), default=0) :]
    stop = _END.search(right)
    right = right[: stop.start()] if stop else right
    others = any(word in match["between"].split() for word in _OTHERS)
    besides = others or _BESIDES.match(right) is not None
    place, kind = _place(left, right)
    if not place and others:
        place = frozenset({f"others at {match.start()}"})
    return _Claim(number, place, kind, besides)


def _place(left: str, right: str) -> tuple[frozenset[str], Kind]:
    """The part that a number is claimed of, from what stands before it and after its noun."""
    around = f"{left} | {right}"
    lines = {f"line {found[1] or found[2]}" for found in _LINE.finditer(around)}
    paths = {found.rstrip(".") for found in _PATH.findall(around)}
    codes = set(_CODE.findall(around)) if not paths else set()
    if lines:
        return frozenset(lines | paths), "line"
    if paths:
        return frozenset(paths), "path"
    if codes:
        return frozenset(codes), "code"
    about = _ABOUT.match(right)
    if about and not _WHOLE.match(about["what"]):
        return frozenset({about["what"]}), "other"
    return frozenset(), "other"


def false_claims(text: str, counts: Mapping[str, Iterable[int]]) -> list[str]:
    """Return what a text claims falsely, for people to read.

    Args:
        text: prose.
        counts: for each noun, the numbers that may be claimed; the largest is the whole.
    """
    wrong = []
    for noun, allowed in counts.items():
        right = set(allowed)
        truth = " or ".join(map(str, sorted(right)))
        claims = [claim for claim in _claims(text, noun) if claim.number or not claim.besides]
        wrong.extend(
            f"it claims {claim.number} {noun.rstrip('?')}, true would be {truth}"
            for claim in claims
            if claim.number not in right and not _is_part(claim, claims, right)
        )
    return wrong


def _is_part(claim: _Claim, claims: Sequence[_Claim], right: Collection[int]) -> bool:
    """Whether a number that is not the whole is right as one of its parts."""
    if not claim.place or not right:
        return False
    if len(set(right) - {0}) > 1 and claim.kind in ("path", "code"):
        return False  # the numbers of these parts are known, and it is none of them
    if any(other.place == claim.place and other.number != claim.number for other in claims):
        return False
    whole = max(right)
    parts = {(each.place, each.number, each.kind) for each in claims if each.number not in right}
    beside = sum(number for _, number, kind in parts if kind == claim.kind)
    wholes = [each for each in claims if each.number == whole]
    if any(_holds(each, claim) for each in wholes):
        return beside <= whole
    if wholes and claim.kind != "path":
        return beside == whole
    every = {(each.place, each.number) for each in claims}
    return all(each.place for each in claims) and sum(number for _, number in every) == whole


def _holds(whole: _Claim, part: _Claim) -> bool:
    """Whether what a number is claimed of can have the other as its part: files are in folders."""
    if not whole.place or whole.kind != part.kind:
        return True
    return whole.kind == "path" and all("." not in path.split("/")[-1] for path in whole.place)
