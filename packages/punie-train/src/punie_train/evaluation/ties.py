"""Ties: which number of a text belongs to which words of it, judged by what stands between them.

People and programs write pairs in many layouts: `9: message`, `message (line 9)`, tables, JSON, `repr`, or
each on a line of its own. In all of them less stands between the two halves of a pair than between two
pairs: an empty line parts more than the end of a line, that more than one bracket that closes and another
that opens, that more than `;`, and that more than `,`. So a number between two texts belongs to the one from
which less parts it. Where both are alike the layout does not say, and either may be meant.

Covered: splitting a text into words, how strongly two places are parted, and numbers that belong elsewhere.
Not covered: which words and numbers are looked for (`facts`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NUMBER = re.compile(r"(?:l|line)?0*(\d+)", re.IGNORECASE)
"""A word that is a whole number, such as the number of a line."""

Gap = tuple[int, int]
"""How strongly two places are parted: by lines, then within them."""

MAX_WORDS_AFTER = 3
"""How far behind a text a number may stand that is taken for its own."""

_WORD = re.compile(r"[^\s'\"`()\[\]{}<>,;|=:*!?#→•│─┃━]+")
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
_COLUMN = re.compile(r",?\s*[\"']?\bcol(?:umn)?\b[\"']?\s*[=:]?\s*\d+")
_AND = re.compile(r"[,.](?=\s|$)|,| and | but ")

_LINE_LABELS = frozenset({"line", "lines", "lineno", "line_number", "l", "ln", "row"})
_COLUMN_LABELS = frozenset({"column", "col", "column_offset", "col_offset"})
_SUMMARY = frozenset({"total", "sum", "all", "altogether", "checked", "found", "of", "in", "and"})
_COUNTED = re.compile(
    r"(?:errors?|warnings?|problems?|issues?|times?|occurrences?|files?|lines?|characters?|more|of|in)"
)
_COUNTING = frozenset(
    {"type", "error", "errors", "problem", "problems", "has", "have", "count", "with"}
)
_ENUMERATED = re.compile(r"\s*[-*•]?\s*[(\[]?\d+[.)]\s")


def words(text: str) -> list[str]:
    """Return the comparable words of a text: case folded, without quotes, brackets and end punctuation."""
    return [word for word, _, _ in _placed(text.casefold())]


def _placed(folded: str) -> Iterator[tuple[str, int, int]]:
    """The words of a case-folded text, each with its place."""
    for raw in _WORD.finditer(folded):
        word = raw[0].rstrip(".-").removeprefix("./")
        word = word.lstrip("-") if not word.startswith("-") or not word[1:].isdigit() else word
        word = word.rstrip("/") or word
        end = raw.start() + len(raw[0].rstrip(".-"))
        if re.fullmatch(r"\d+(/\d+)+", word):
            for part in word.split("/"):
                yield part, raw.start(), end
        elif word:
            yield word, raw.start(), end


@dataclass(frozen=True)
class Span:
    """Words of a text, from `start` up to and without `end`."""

    start: int
    end: int


class Page:
    """A text as words in lines, and what stands between them."""

    def __init__(self, text: str) -> None:
        self.text = "\n".join(text.casefold().splitlines())
        placed = list(_placed(self.text))
        self.words = [word for word, _, _ in placed]
        self._starts = [start for _, start, _ in placed]
        self._ends = [end for _, _, end in placed]
        breaks = [found.start() for found in re.finditer("\n", self.text)]
        self._line = [bisect_right(breaks, start) for start in self._starts]

    def same_line(self, one: int, other: int) -> bool:
        """Whether there is a word `one`, and it is on the line of the word `other`."""
        return one < len(self.words) and self._line[one] == self._line[other]

    def ties(self, spans: Sequence[Span], foreign: Sequence[Span]) -> bool:
        """Tell whether numbers and texts that stand together may belong together.

        Args:
            spans: the numbers and texts of one fact.
            foreign: what belongs to other facts.
        """
        numbers = [span for span in spans if self._is_number(span)]
        texts = [span for span in spans if span not in numbers]
        others = [span for span in foreign if not self._is_number(span)]
        for number in numbers if texts else ():
            text = min(texts, key=lambda each: self._gap(number, each))
            if self._belongs_to_another(number, text, others):
                return False
            if self._has_another(text, number, [*spans, *others]):
                return False
        return True

    def _is_number(self, span: Span) -> bool:
        return span.end == span.start + 1 and NUMBER.fullmatch(self.words[span.start]) is not None

    def _belongs_to_another(self, number: Span, text: Span, others: Sequence[Span]) -> bool:
        """Whether the number's neighbour on its other side is a text that it is tied to more closely."""
        if text.start > number.start:
            sides = [each for each in others if each.end <= number.start]
            neighbour = max(sides, key=lambda each: each.end, default=None)
        else:
            sides = [each for each in others if each.start >= number.end]
            neighbour = min(sides, key=lambda each: each.start, default=None)
        return neighbour is not None and self._gap(number, neighbour) < self._gap(number, text)

    def _has_another(self, text: Span, number: Span, known: Sequence[Span]) -> bool:
        """Whether the text has another number in the place of its own, tied more closely.

        A number that is said to be the line's is not outdone by one of which that is not said.
        """
        apart = self._line[number.start] != self._line[text.start]
        message = text.end - text.start > 1 or "-" in self.words[text.start]
        if not message and not (apart and self._is_counted(text)):
            return False
        least, labelled = self._gap(number, text), self._is_labelled(number, strictly=message)
        return any(
            (apart or (rival.start < text.start) != (number.start < text.start))
            and self._gap(rival, text) < least
            and (self._is_labelled(rival, strictly=message) or not labelled)
            for rival in self._rivals(text, known, counts=not message)
        )

    def _rivals(self, text: Span, known: Sequence[Span], *, counts: bool) -> Iterator[Span]:
        """The numbers on a text's line that stand where its own would, and are no other text's."""
        others = [span for span in known if not self._is_number(span) and span != text]
        within = {index for span in (text, *known) for index in range(span.start, span.end)}
        for index in self._line_of(text):
            rival = Span(index, index + 1)
            if (
                index not in within
                and index - text.end < MAX_WORDS_AFTER
                and self._is_number(rival)
                and self._is_place(index, counts=counts)
                and not any(_between(rival, span, text) for span in others)
                and not self._belongs_to_another(rival, text, others)
            ):
                yield rival

    def _line_of(self, text: Span) -> range:
        """The words of the line that a text begins in."""
        first, last = text.start, text.start
        while first > 0 and self._line[first - 1] == self._line[text.start]:
            first -= 1
        while self.same_line(last, text.start):
            last += 1
        return range(first, last)

    def _is_place(self, index: int, *, counts: bool) -> bool:
        """Whether a number may be that of a line: it is no column, numbers no item, and is no count."""
        start, end = self._starts[index], self._ends[index]
        if self._word_before(index) in _COLUMN_LABELS:
            return False
        counted = self.same_line(index + 1, index) and _COUNTED.fullmatch(self.words[index + 1])
        if counted and not counts:
            return False
        if "/" in self.text[start:end]:
            return False
        begin = self.text.rfind("\n", 0, start) + 1
        if found := _ENUMERATED.match(self.text, begin):
            return found.end() <= start
        return self.text[max(start - 1, 0) : start] != "#"

    def _is_counted(self, text: Span) -> bool:
        """Whether a name's line holds a number and hardly more, as lists of counts do."""
        rest = [self.words[index] for index in self._line_of(text) if index != text.start]
        return all(NUMBER.fullmatch(word) or word in _COUNTING for word in rest)

    def _is_labelled(self, number: Span, *, strictly: bool) -> bool:
        """Whether it is said what a number is: `line 9`, `a.py:9`; of names, `score: 9`."""
        if not self.words[number.start].isdigit():
            return True
        before = self._word_before(number.start)
        if not strictly:
            return before.isidentifier() and before not in _SUMMARY
        return before in _LINE_LABELS or re.search(r"[\w-]\.[a-z]|/", before) is not None

    def _word_before(self, index: int) -> str:
        return self.words[index - 1] if index and self.same_line(index - 1, index) else ""

    def _gap(self, one: Span, other: Span) -> Gap:
        """How strongly two places are parted."""
        first, second = (one, other) if one.start < other.start else (other, one)
        if second.start < first.end:
            return (0, 0)
        between = self.text[self._ends[first.end - 1] : self._starts[second.start]]
        if "\n" in between:
            return (2 if _EMPTY_LINE.search(between) else 1), int(_parts_brackets(between))
        between = _COLUMN.sub("", between)
        if _parts_brackets(between):
            return 0, 3
        return 0, 2 if ";" in between else int(_AND.search(between) is not None)


def _between(one: Span, middle: Span, other: Span) -> bool:
    return min(one.start, other.start) < middle.start < max(one.start, other.start)


def _parts_brackets(between: str) -> bool:
    """Whether brackets that were open are closed, and others opened: one item ends, the next begins."""
    depth = lowest = 0
    for character in between:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            lowest = min(lowest, depth)
    return lowest < min(depth, 0)
