"""Facts: what a query's output must say, and whether a text says it.

A fact is a list of atoms that belong together, such as a line number and the message of the error on that
line. An atom is a whole number, a text, a path, or a list of atoms of which any will do. A text says a fact
when all its atoms occur together, with no atom of another fact between them; so listing, tables, JSON and
`repr` all count, and right numbers beside wrong messages do not. A number that is tied more closely to the
text of another fact belongs to that one, and a text that has another number in its place is not about the
one that is farther away (`punie_train.evaluation.ties`).

Covered: reading facts, splitting text into comparable words, finding facts, and noticing a text that
merely says everything. Not covered: prose claims (`punie_train.evaluation.claims`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from itertools import pairwise, product
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from punie_train.errors import EvaluationError, faults
from punie_train.evaluation.ties import NUMBER, Page, Span, words

Plain = StrictInt | StrictFloat | StrictStr
Atom = Plain | list[Plain]
Fact = list[Atom]

MAX_GAP_WORDS = 60
"""How many words may lie between two atoms of one fact."""

MIN_PREFIX_CHARACTERS = 24
"""A long text may be cut (`message[:60]`), but not shorter than this."""


class Truth(BaseModel):
    """What a query's `truth` program prints, as JSON.

    Attributes:
        facts: alternatives; a text must say every fact of one of them.
        never: facts the last output must not say.
        counts: for each noun, the numbers that may be claimed about it in the answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    facts: list[list[Fact]] = Field(min_length=1)
    never: list[Fact] = []
    counts: dict[str, list[int]] = {}


def read_truth(text: str, where: str) -> Truth:
    """Return the truth a program printed.

    Raises:
        EvaluationError: the text is not the JSON that is expected.
    """
    try:
        return Truth.model_validate(json.loads(text))
    except ValidationError as error:
        why = faults(error)
    except ValueError as error:
        why = str(error)
    raise EvaluationError(
        f"{where}: the truth program printed no facts ({why}); "
        'it prints one JSON object, such as {"facts": [[["2 errors"]]]}.'
    )


class Output:
    """A text, ready to be searched for facts."""

    def __init__(self, text: str) -> None:
        self._page = Page(text)
        self.words = self._page.words

    def says(self, facts: Sequence[Fact]) -> list[Fact]:
        """Return the facts the text does not say; empty when it says them all."""
        taken: set[tuple[Span, ...]] = set()
        missing = []
        for fact in facts:
            others = [other for other in facts if other != fact]
            place = next(
                (spans for spans in self._places(fact, others) if spans not in taken), None
            )
            if place is None:
                missing.append(fact)
            else:
                taken.add(place)
        return missing

    def _places(self, fact: Fact, others: Sequence[Fact]) -> Iterable[tuple[Span, ...]]:
        found = [self._find(atom) for atom in fact]
        if not all(found):
            return
        foreign = self._foreign(fact, others)
        for first in found[0]:
            for spans in product([first], *(_nearest(first, options) for options in found[1:])):
                if self._together(spans, foreign):
                    yield spans

    def _together(self, spans: tuple[Span, ...], foreign: Sequence[Span]) -> bool:
        ordered = sorted(spans, key=lambda span: span.start)
        if any(after.start - before.end > MAX_GAP_WORDS for before, after in pairwise(ordered)):
            return False
        low, high = ordered[0].start, max(span.end for span in ordered)
        if len(spans) == 1:
            return True
        if any(low <= span.start and span.end <= high for span in foreign):
            return False
        return self._page.ties(spans, foreign)

    def _foreign(self, fact: Fact, others: Sequence[Fact]) -> list[Span]:
        own = {json.dumps(atom) for atom in fact}
        strangers = [atom for other in others for atom in other if json.dumps(atom) not in own]
        texts = [atom for atom in strangers if not isinstance(atom, int | float)]
        own_spans = {span for atom in fact for span in self._find(atom)}
        chosen = texts or strangers
        return [span for atom in chosen for span in self._find(atom) if span not in own_spans]

    def _find(self, atom: Any) -> list[Span]:
        if isinstance(atom, list):
            return [span for option in atom for span in self._find(option)]
        if isinstance(atom, int):
            return [
                Span(index, index + 1)
                for index, word in enumerate(self.words)
                if (number := NUMBER.fullmatch(word)) and int(number[1]) == atom
            ]
        if isinstance(atom, float):
            return [
                Span(index, index + 1)
                for index, word in enumerate(self.words)
                if re.fullmatch(r"-?\d+\.\d+s?", word) and float(word.rstrip("s")) == atom
            ]
        return self._find_text(atom)

    def _find_text(self, text: str) -> list[Span]:
        wanted = words(text)
        if not wanted:
            return []
        if len(wanted) == 1:
            return [
                Span(index, index + 1)
                for index, word in enumerate(self.words)
                if word == wanted[0] or _same_path(word, wanted[0])
            ]
        spans = []
        for index, word in enumerate(self.words):
            if word != wanted[0]:
                continue
            length = _common(self.words[index : index + len(wanted)], wanted)
            if length == len(wanted) or self._is_cut(index, length, wanted):
                spans.append(Span(index, index + length))
        return spans

    def _is_cut(self, start: int, length: int, wanted: Sequence[str]) -> bool:
        """Whether a text that agrees in its first words was cut there, at the end of its line."""
        if length < 3 or len(" ".join(wanted[:length])) < MIN_PREFIX_CHARACTERS:
            return False
        after = start + length
        if self._page.same_line(after, start) and wanted[length].startswith(
            self.words[after].rstrip("….")
        ):
            after += 1
        return not self._page.same_line(after, start)


def says_everything(shown: str, known: Iterable[Any]) -> bool:
    """Tell whether a text is full of whole numbers that no tool gave: guessing by listing.

    Args:
        shown: what the programs showed.
        known: the JSON values the tools were given and returned.
    """
    explained: set[int] = set(range(25))
    for value in known:
        _collect(value, explained)
    numbers = [int(word) for word in words(shown) if word.isdigit() and len(word) < 10]
    strange = {number for number in numbers if number not in explained}
    return len(strange) > 8 and 2 * len(strange) > len(set(numbers))


def _collect(value: Any, into: set[int]) -> None:
    match value:
        case bool() | None:
            pass
        case int():
            into.add(value)
        case str():
            into.update(int(digits) for digits in re.findall(r"\d{1,9}", value))
            into.add(len(value.splitlines()))
            into.add(len(value))
        case dict():
            for part in value.values():
                _collect(part, into)
        case list() | tuple():
            into.add(len(value))
            for part in value:
                _collect(part, into)
        case _:
            pass


def _nearest(first: Span, options: Sequence[Span]) -> list[Span]:
    return nsmallest(2, options, key=lambda span: _distance(first, span))


def _distance(one: Span, other: Span) -> tuple[int, int]:
    gap = max(other.start - one.end, one.start - other.end)
    return gap, 0 if other.start >= one.start else 1


def _common(found: Sequence[str], wanted: Sequence[str]) -> int:
    return next(
        (index for index, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b),
        min(len(found), len(wanted)),
    )


def _same_path(word: str, wanted: str) -> bool:
    if "/" not in wanted and "." not in wanted:
        return False
    return word.endswith("/" + wanted) or (
        "/" in wanted and wanted.endswith("/" + word) and "." in word
    )
