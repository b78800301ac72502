"""Examples that are too much alike, and prompts that a frozen suite asks too.

Near-duplicates: MinHash (datasketch) over character 4-grams of the prompt and of what is done about it;
two requests for different files differ in both. Leaks: the same words as a query, or `ngram` words in a row
in common with one; a shorter query of at least three words must not occur whole, and one or two words, which
are everybody's, must not be all of a prompt. And a request for a program must not be a query's phrasing
about another file: the same prompt once names are masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from punie_train.data.records import user_prompts
from punie_train.data.splits import normalised, plain
from punie_train.errors import DataError, EvaluationError

__all__ = ["Alike", "LeakIndex", "near_duplicates", "suite_prompts"]

_PERMUTATIONS = 64
_SHINGLE = 4
_MARGIN = 0.2
_TELLING = 3
"""How many words a query has at least that can be told from what everybody says."""


class Alike:
    """Remembers examples and finds one that a new one is nearly the same as.

    Args:
        threshold: Jaccard similarity (0 to 1) from which two count as the same.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self.threshold = threshold
        # The index guesses; asked for less than the threshold it misses next to nothing above it.
        self._index = MinHashLSH(threshold=max(threshold - _MARGIN, 0.1), num_perm=_PERMUTATIONS)
        self._shingles: dict[str, set[bytes]] = {}

    def add(self, key: str, prompts: Sequence[str], done: Sequence[str]) -> str | None:
        """Remember an example unless it is like one that is known; return that one's key, or None.

        Args:
            key: its name; a name that is known already counts as like itself.
            prompts: what the user says in it.
            done: its programs, or the answer where there are none.
        """
        from datasketch import MinHash

        if key in self._shingles:
            return key
        own = _shingles(" ".join([*map(plain, prompts), *(text.strip() for text in done)]))
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch(sorted(own))
        for other in map(str, self._index.query(sketch)):
            known = self._shingles[other]
            if len(own & known) >= self.threshold * len(own | known):
                return other
        self._shingles[key] = own
        self._index.insert(key, sketch)
        return None


def near_duplicates(
    records: Sequence[Mapping[str, Any]], threshold: float
) -> list[tuple[str, str]]:
    """Return pairs of ids of records that are nearly the same."""
    alike = Alike(threshold)
    pairs = []
    for record in records:
        done = [run["code"] for run in record["trace"]] or [record["messages"][-1]["content"]]
        other = alike.add(record["id"], user_prompts(record), done)
        if other is not None and other != record["id"]:
            pairs.append((other, record["id"]))
    return pairs


def _shingles(text: str) -> set[bytes]:
    data = text.encode()
    return {data[place : place + _SHINGLE] for place in range(max(len(data) - _SHINGLE + 1, 1))}


def suite_prompts(suites: Iterable[Path]) -> list[str]:
    """Return the prompts of the queries of frozen suites.

    Raises:
        DataError: a suite is missing, is not TOML, or has a query without a prompt.
    """
    from punie_train.evaluation.suite import read_prompts

    prompts = []
    for suite in suites:
        try:
            prompts += read_prompts(suite)
        except (OSError, EvaluationError) as error:
            why = str(error).removeprefix(f"{suite}: ").rstrip(".")
            raise DataError(f"{suite}: cannot be read as a suite: {why}.") from None
    return prompts


@dataclass(frozen=True)
class LeakIndex:
    """The word sequences that frozen suites own.

    Attributes:
        grams: sequences of at most `ngram` words, with a query they come from.
        ngram: how many words in a row count.
        phrasings: queries with their names masked, each with the query itself.
    """

    grams: Mapping[tuple[str, ...], str]
    ngram: int
    phrasings: Mapping[str, str]

    @classmethod
    def of(cls, prompts: Iterable[str], ngram: int) -> LeakIndex:
        """Index the queries' prompts."""
        grams: dict[tuple[str, ...], str] = {}
        phrasings: dict[str, str] = {}
        for prompt in prompts:
            words = _words(prompt)
            phrasings.setdefault(normalised(prompt), prompt)
            size = min(ngram, len(words))
            for place in range(len(words) - size + 1):
                grams.setdefault(words[place : place + size], prompt)
        return cls(grams, ngram, phrasings)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many words in a row are looked for: `ngram`, and as many as the short queries have."""
        short = {len(words) for words in self.grams if _TELLING <= len(words) < self.ngram}
        return (*sorted(short), self.ngram)

    def phrased(self, prompt: str) -> str | None:
        """Return the query that asks in the same words, whatever it names; or None.

        For requests that a program answers. The words of a question about a concept ("What is …?") belong
        to everyone.
        """
        return self.phrasings.get(normalised(prompt))

    def leaked(self, prompt: str) -> str | None:
        """Return the query that a prompt gives away, or None."""
        words = _words(prompt)
        whole = self.grams.get(words)
        if whole is not None:
            return whole
        for size in self.sizes:
            for place in range(len(words) - size + 1):
                found = self.grams.get(words[place : place + size])
                if found is not None:
                    return found
        return None


def _words(prompt: str) -> tuple[str, ...]:
    return tuple(word.strip(".") for word in re.findall(r"[\w./'*]+", prompt.casefold()))
