"""Direct answers: whether prose is about the question, judged against a bank of reference answers.

The answer is ranked by BM25 (Robertson and Walker 1994) among the entries of a concept bank, the words of
the question taken out of it first, so that repeating the question earns nothing. The entry of the asked
concept must win, the answer must use enough of the words that tell this concept from the others, and it
must not be stuck in a loop.

Covered: being about the right thing. Not covered: whether each sentence is true; a bank entry may list
`wrong` sentences, typical misconceptions, and an answer that is closer to one of them than to the right
ones fails.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from punie_train.errors import EvaluationError
from punie_train.evaluation.suite import Name, explain

BM25_K1 = 1.2
BM25_B = 0.75
DISTINCTIVE_SHARE = 0.2
"""A word is distinctive when at most this share of the entries use it."""
MIN_DISTINCTIVE_WORDS = 3
MIN_WORDS = 8
MAX_WORDS = 700

_STOP_WORDS = """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can could did do does doing done down each either else etc even every few
    for from further get gets give gives had has have having he her here him his how however i if
    in instead into is it its itself just know let like made make makes many may me might more
    most much must my need needs no nor not of off often on once one only or other our out over
    own part per same she should since so some such than that the their them then there these they
    thing things this those through to too two under until up upon us use used uses using very via
    was way we well were what when where whether which while who whom whose why will with within
    without would yes yet you your e.g i.e
"""
_STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_SUFFIXES = (
    "ations",
    "ation",
    "ingly",
    "ments",
    "ment",
    "ings",
    "ing",
    "ities",
    "ity",
    "ies",
    "ied",
    "edly",
)
_SHORT_SUFFIXES = ("ers", "ed", "es", "er", "ly", "al", "s", "e", "y")


class Concept(BaseModel):
    """One question a person may ask, with several good answers.

    Attributes:
        id: name of the entry.
        question: the question in its plainest form.
        answers: good answers in different words.
        wrong: sentences that a wrong answer would hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    question: str
    answers: list[str] = Field(min_length=1)
    wrong: list[str] = []


class ConceptBank(BaseModel):
    """The entries an answer is ranked among."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concepts: list[Concept] = Field(min_length=2)


@dataclass(frozen=True)
class Judgement:
    """Whether an answer is about its question, and why not."""

    ok: bool
    reason: str
    best: str = ""


def load_bank(path: Path) -> ConceptBank:
    """Read a concept bank.

    Raises:
        EvaluationError: the file is missing or breaks the format.
    """
    try:
        with path.open("rb") as handle:
            return ConceptBank.model_validate(tomllib.load(handle))
    except FileNotFoundError:
        raise EvaluationError(f"{path}: there is no such concept bank.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: not valid TOML ({error}).") from None
    except ValidationError as error:
        raise EvaluationError(explain(path, error)) from None


def stems(text: str) -> list[str]:
    """Return the content words of a text without their endings, in order."""
    found = _WORD.findall(text.casefold().replace("'", ""))
    return [stem(word) for word in found if word not in _STOP and len(word) > 1]


def stem(word: str) -> str:
    """Return a word without its ending; equal for the forms of one word more often than not."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    else:
        for suffix in _SHORT_SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 3:
                word = word[: -len(suffix)]
                break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


def degenerate(text: str) -> str:
    """Say how a text is stuck in a loop, or return "" when it is not."""
    found = text.casefold().split()
    if len(found) >= 24:
        quads = Counter(zip(found, found[1:], found[2:], found[3:], strict=False))
        if len(quads) < 0.6 * (len(found) - 3):
            return "it repeats the same words over and over"
    raw = text.encode()
    if len(raw) > 400 and len(zlib.compress(raw, 9)) < 0.18 * len(raw):
        return "it is one piece of text over and over"
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 12]
    if len(lines) >= 4 and len(set(lines)) <= len(lines) // 2:
        return "it repeats the same lines"
    return ""


class AnswerJudge:
    """Ranks answers among the entries of a concept bank.

    Args:
        bank: the entries.
    """

    def __init__(self, bank: ConceptBank) -> None:
        self._bank = {concept.id: concept for concept in bank.concepts}
        self._documents = {
            concept.id: Counter(stems(" ".join([concept.question, *concept.answers])))
            for concept in bank.concepts
        }
        lengths = [sum(document.values()) for document in self._documents.values()]
        self._mean_length = sum(lengths) / len(lengths)
        self._holders = Counter(word for document in self._documents.values() for word in document)

    def reference(self, concept: str) -> str:
        """Return the first reference answer of an entry."""
        return self._bank[concept].answers[0]

    def judge(self, answer: str, concept: str, question: str) -> Judgement:
        """Judge an answer.

        Args:
            answer: the prose.
            concept: the entry it must be about.
            question: what was asked; its words do not count.

        Raises:
            EvaluationError: the bank has no such entry.
        """
        if concept not in self._bank:
            raise EvaluationError(f"the concept bank has no entry {concept!r}.")
        plain = _without_code_fences(answer)
        if unfit := _unfit(plain):
            return Judgement(False, unfit)
        asked = set(stems(question))
        said = [word for word in stems(plain) if word not in asked]
        scores = {name: self._bm25(said, document) for name, document in self._documents.items()}
        best = max(scores, key=lambda name: scores[name])
        if scores[best] <= 0:
            return Judgement(False, "it says nothing beyond the question")
        if best != concept:
            return Judgement(False, f"it reads like an answer about {best}, not {concept}", best)
        if self._distinctive(said, concept) < MIN_DISTINCTIVE_WORDS:
            return Judgement(False, "it says too little that belongs to this question", best)
        if wrong := self._misconception(plain, concept):
            return Judgement(False, f"it says what is wrong: {wrong}", best)
        return Judgement(True, f"about {concept}", best)

    def _distinctive(self, said: Iterable[str], concept: str) -> int:
        """How many different words it uses that this entry has and few others."""
        limit = max(1, int(DISTINCTIVE_SHARE * len(self._documents)))
        document = self._documents[concept]
        return len({word for word in said if word in document and self._holders[word] <= limit})

    def _bm25(self, said: Iterable[str], document: Mapping[str, int]) -> float:
        length = sum(document.values())
        total = 0.0
        for word in set(said):
            times = document.get(word, 0)
            if times:
                norm = BM25_K1 * (1 - BM25_B + BM25_B * length / self._mean_length)
                total += self._rarity(word) * times * (BM25_K1 + 1) / (times + norm)
        return total

    def _rarity(self, word: str) -> float:
        held = self._holders[word]
        return math.log(1 + (len(self._documents) - held + 0.5) / (held + 0.5))

    def _misconception(self, answer: str, concept: str) -> str:
        entry = self._bank[concept]
        right = [sentence for text in entry.answers for sentence in _sentences(text)]
        for sentence in _sentences(answer):
            for wrong in entry.wrong:
                close = _overlap(sentence, wrong)
                if close >= 0.75 and close > max(_overlap(sentence, good) for good in right):
                    return wrong
        return ""


def _unfit(text: str) -> str:
    count = len(text.split())
    if count < MIN_WORDS:
        return f"{count} words are no answer"
    if count > MAX_WORDS:
        return f"{count} words: it did not come to an end"
    return degenerate(text)


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _overlap(one: str, other: str) -> float:
    """Share of the second text's words, stop words and order included, that the first has."""
    first, second = _pairs(one), _pairs(other)
    return len(first & second) / len(second) if second else 0.0


def _pairs(text: str) -> set[tuple[str, str]]:
    found: Sequence[str] = [stem(word) for word in _WORD.findall(text.casefold())]
    return set(itertools.pairwise(found))


def _without_code_fences(text: str) -> str:
    return re.sub(r"^```.*$", "", text, flags=re.MULTILINE).strip()
