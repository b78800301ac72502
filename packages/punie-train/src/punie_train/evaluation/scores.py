"""Scores: the file that validation writes, and how verdicts are counted into it.

Covered: the format (these classes), counting by category and behaviour with Wilson intervals, thresholds,
red flags and the confusion between tools. Not covered: how a verdict came about (`scoring`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from punie_train.errors import EvaluationError
from punie_train.evaluation.statistics import wilson_interval
from punie_train.evaluation.suite import Category, Query, Suite, explain


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckScore(_Value):
    """One check of one query."""

    name: str
    ok: bool
    detail: str = ""


class RunRecord(_Value):
    """One program of a turn."""

    code: str
    status: str
    shown: str
    calls: list[str]
    problems: list[str]


class QueryScore(_Value):
    """One query: the verdict, why, and the transcript."""

    id: str
    category: str
    behaviour: str
    prompt: str
    passed: bool
    checks: list[CheckScore]
    expected_tool: str
    chosen_tool: str
    flags: list[str]
    runs: list[RunRecord]
    answer: str
    stop_reason: str
    problem: str = ""
    seconds: float
    output_tokens: int


class Count(_Value):
    """How many of a group were passed, with the 95 % Wilson interval of the share."""

    name: str
    passed: int
    total: int
    low: float
    high: float


class Threshold(_Value):
    """A category against its thresholds."""

    id: str
    title: str
    passed: int
    total: int
    low: float
    high: float
    target: int
    minimum: int
    ok: bool
    reached_target: bool


class Latency(_Value):
    """What a person waits, measured one query at a time, in seconds."""

    first: float
    later_median: float
    later_worst: float
    queries: int


class Gate(_Value):
    """A limit that is not about a query: time, size or memory."""

    name: str
    value: float
    limit: float
    unit: str
    ok: bool


class SuiteScore(_Value):
    """A model's score on one suite."""

    suite: str
    title: str
    passed: int
    total: int
    low: float
    high: float
    ok: bool
    categories: list[Threshold]
    behaviours: list[Count]
    flags: dict[str, int]
    confusion: dict[str, dict[str, int]]
    seconds: float
    queries: list[QueryScore]


class Identity(_Value):
    """Which model was scored: what was loaded, by digest, and the contract it was spoken to with."""

    path: str
    digest: str
    contract_digest: str
    trained_contract_digest: str | None = None
    contract_matches: bool | None = None
    bytes: int = 0
    bits_per_weight: float | None = None
    parameters: int | None = None


class ModelScore(_Value):
    """One model on all its suites."""

    name: str
    identity: Identity
    load_seconds: float
    latency: Latency | None = None
    gates: list[Gate] = []
    suites: list[SuiteScore]
    ok: bool


class Scores(_Value):
    """Everything one validation found out."""

    format: int = 1
    suites: dict[str, str]
    models: list[ModelScore]
    versions: dict[str, str]
    config: dict[str, Any]
    seconds: float
    peak_memory_bytes: int

    def model(self, name: str) -> ModelScore:
        """Return the score of one model.

        Raises:
            EvaluationError: no model of that name was scored.
        """
        for score in self.models:
            if score.name == name:
                return score
        known = ", ".join(score.name for score in self.models)
        raise EvaluationError(f"no model {name!r} was scored; there are {known}.")


def load_scores(path: Path) -> Scores:
    """Read scores, or the scores inside a report.

    Raises:
        EvaluationError: the file is missing or holds neither.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EvaluationError(
            f"{path}: there is no such file; give a scores.json or report.json."
        ) from None
    except ValueError as error:
        raise EvaluationError(f"{path}: not valid JSON ({error}).") from None
    if isinstance(value, dict) and "scores" in value:
        value = value["scores"]
    try:
        return Scores.model_validate(value)
    except ValidationError as error:
        raise EvaluationError(explain(path, error)) from None


def count(name: str, verdicts: Iterable[bool]) -> Count:
    """Count verdicts and say how far the share can be trusted."""
    every = list(verdicts)
    low, high = wilson_interval(sum(every), len(every))
    return Count(name=name, passed=sum(every), total=len(every), low=low, high=high)


def suite_score(suite: Suite, queries: Sequence[QueryScore], seconds: float) -> SuiteScore:
    """Count the verdicts on a suite's queries."""
    whole = count(suite.name, (query.passed for query in queries))
    categories = [_threshold(category, queries) for category in suite.categories]
    behaviours = sorted({query.behaviour for query in queries})
    confusion: dict[str, Counter[str]] = {}
    for query in queries:
        # A query that was passed was begun well, also where several tools would do.
        chosen = query.expected_tool if query.passed else query.chosen_tool
        confusion.setdefault(query.expected_tool, Counter())[chosen] += 1
    return SuiteScore(
        suite=suite.name,
        title=suite.title,
        passed=whole.passed,
        total=whole.total,
        low=whole.low,
        high=whole.high,
        ok=all(category.ok for category in categories),
        categories=categories,
        behaviours=[
            count(name, (query.passed for query in queries if query.behaviour == name))
            for name in behaviours
        ],
        flags=dict(Counter(flag for query in queries for flag in query.flags)),
        confusion={tool: dict(chosen) for tool, chosen in sorted(confusion.items())},
        seconds=seconds,
        queries=list(queries),
    )


def _threshold(category: Category, queries: Sequence[QueryScore]) -> Threshold:
    counted = count(
        category.id, (query.passed for query in queries if query.category == category.id)
    )
    return Threshold(
        id=category.id,
        title=category.title,
        passed=counted.passed,
        total=counted.total,
        low=counted.low,
        high=counted.high,
        target=category.target,
        minimum=category.minimum,
        ok=counted.passed >= category.minimum,
        reached_target=counted.passed >= category.target,
    )


def latency_of(seconds: Sequence[float], load_seconds: float) -> Latency | None:
    """Return what a person waits, from the times of queries played one after the other."""
    if not seconds:
        return None
    later = list(seconds[1:]) or [seconds[0]]
    return Latency(
        first=load_seconds + seconds[0],
        later_median=median(later),
        later_worst=max(later),
        queries=len(seconds),
    )


def queries_by_id(suite: Suite) -> dict[str, Query]:
    """Return a suite's queries by their id."""
    return {query.id: query for query in suite.queries}
