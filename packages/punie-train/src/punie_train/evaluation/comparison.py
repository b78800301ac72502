"""Comparison of two reports: what was gained and lost, query by query, and whether beyond chance.

Queries are paired by suite, model and id. The exact McNemar test asks how often pairs would change this
unevenly if nothing had changed but luck.

Covered: two files of scores or reports. Not covered: models, suites and queries that only one of them has;
they are named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from punie_train.errors import EvaluationError
from punie_train.evaluation.scores import QueryScore, Scores, load_scores
from punie_train.evaluation.statistics import mcnemar_p

SIGNIFICANT = 0.05
"""The p-value below which a change is called beyond chance."""


def compare(old: Path, new: Path) -> dict[str, Any]:
    """Compare two files of scores.

    Returns:
        JSON values: one entry of `pairs` for each model and suite that both have, with the queries
        `regressed` and `improved` and the p-value; `regressed_beyond_chance` over all of them; what
        only one file has, by its name.

    Raises:
        EvaluationError: a file is missing or holds no scores, or the two have no query in common.
    """
    before, after = load_scores(old), load_scores(new)
    first, second = _played(before), _played(after)
    pairs = [
        _pair(model, suite, before, after) for model, suite in second if (model, suite) in first
    ]
    if not any(pair["queries"] for pair in pairs):
        raise EvaluationError(
            f"{old} and {new} have nothing in common: no query of one model and suite is in both; "
            f"the first has {_listed(first)}, the second {_listed(second)}."
        )
    models_before = {model.name for model in before.models}
    models_after = {model.name for model in after.models}
    return {
        "old": str(old),
        "new": str(new),
        "pairs": pairs,
        "only_in_old": sorted(models_before - models_after),
        "only_in_new": sorted(models_after - models_before),
        "suites_only_in_old": _missing(first, second, models_after),
        "suites_only_in_new": _missing(second, first, models_before),
        "suites_changed": sorted(
            name
            for name, digest in after.suites.items()
            if before.suites.get(name, digest) != digest
        ),
        "regressed_beyond_chance": any(pair["regressed_beyond_chance"] for pair in pairs),
    }


Played = list[tuple[str, str]]
"""Names of a model and a suite it was scored on."""


def _played(scores: Scores) -> Played:
    return [(model.name, suite.suite) for model in scores.models for suite in model.suites]


def _listed(played: Played) -> str:
    return ", ".join(f"{model} on {suite}" for model, suite in played) or "none"


def _missing(played: Played, other: Played, models: set[str]) -> list[str]:
    """The suites that another file lacks, of the models that it has."""
    return [
        f"{model} on {suite}"
        for model, suite in played
        if model in models and (model, suite) not in other
    ]


def _pair(model: str, suite: str, before: Scores, after: Scores) -> dict[str, Any]:
    first, second = _queries(before, model, suite), _queries(after, model, suite)
    common = [name for name in second if name in first]
    lost = [name for name in common if first[name].passed and not second[name].passed]
    won = [name for name in common if second[name].passed and not first[name].passed]
    p_value = mcnemar_p(len(lost), len(won))
    return {
        "model": model,
        "suite": suite,
        "queries": len(common),
        "passed_before": sum(first[name].passed for name in common),
        "passed_after": sum(second[name].passed for name in common),
        "regressed": [_described(second[name]) for name in lost],
        "improved": [_described(second[name]) for name in won],
        "only_in_old": sorted(first.keys() - second.keys()),
        "only_in_new": sorted(second.keys() - first.keys()),
        "p_value": p_value,
        "beyond_chance": p_value < SIGNIFICANT,
        "regressed_beyond_chance": p_value < SIGNIFICANT and len(lost) > len(won),
    }


def _queries(scores: Scores, model: str, suite: str) -> dict[str, QueryScore]:
    chosen = next(each for each in scores.model(model).suites if each.suite == suite)
    return {query.id: query for query in chosen.queries}


def _described(query: QueryScore) -> dict[str, str]:
    why = "; ".join(f"{check.name}: {check.detail}" for check in query.checks if not check.ok)
    return {"id": query.id, "prompt": query.prompt, "why": why}


def render_comparison(comparison: dict[str, Any]) -> str:
    """Return a comparison as text."""
    lines = [
        f"warning: suite {name} is not the same file in both; its queries may differ."
        for name in comparison["suites_changed"]
    ]
    for kind, prefix in (("only_in", "model "), ("suites_only_in", "")):
        lines += [
            f"only in {comparison[side]}: {prefix}{name}"
            for side in ("old", "new")
            for name in comparison[f"{kind}_{side}"]
        ]
    for pair in comparison["pairs"]:
        change = pair["passed_after"] - pair["passed_before"]
        verdict = "beyond chance" if pair["beyond_chance"] else "within chance"
        lines.append(
            f"{pair['model']} on {pair['suite']}: {pair['passed_before']} -> {pair['passed_after']} "
            f"of {pair['queries']} ({change:+d}, p = {pair['p_value']:.3g}, {verdict})"
        )
        lines += [f"  lost  {q['id']}  {q['prompt']}  ({q['why']})" for q in pair["regressed"]]
        lines += [f"  won   {q['id']}  {q['prompt']}" for q in pair["improved"]]
        lines += [
            f"  only in {comparison[side]}: {', '.join(pair[f'only_in_{side}'])}"
            for side in ("old", "new")
            if pair[f"only_in_{side}"]
        ]
    return "\n".join(lines)
