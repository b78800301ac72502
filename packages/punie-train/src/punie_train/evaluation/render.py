"""Scores as text for a terminal.

Covered: one screen a model. Not covered: transcripts (the HTML report has them).
"""

from __future__ import annotations

from typing import Any

from punie_train.evaluation.scores import ModelScore, Scores, SuiteScore


def render_scores(scores: dict[str, Any]) -> str:
    """Return scores, as read from their JSON file, as text."""
    parsed = Scores.model_validate(scores)
    return "\n\n".join(_model(model) for model in parsed.models)


def _model(model: ModelScore) -> str:
    size = f"{model.identity.bytes / 1e6:.0f} MB"
    head = f"{model.name}  {model.identity.path}  {size}  {model.identity.digest[:12]}"
    lines = [head, *(_suite(suite) for suite in model.suites)]
    lines += [
        f"  {'pass' if gate.ok else 'FAIL'}  {gate.name}: {gate.value:.4g} {gate.unit} "
        f"(at most {gate.limit:.4g})"
        for gate in model.gates
    ]
    lines.append(f"  {'PASSED' if model.ok else 'NOT PASSED'}")
    return "\n".join(lines)


def _suite(suite: SuiteScore) -> str:
    lines = [
        (
            f"  {suite.suite}: {suite.passed}/{suite.total} "
            f"({100 * suite.low:.0f} to {100 * suite.high:.0f} % with 95 % confidence)"
        )
    ]
    lines += [
        f"    {'pass' if c.ok else 'FAIL'}  {c.id} {c.title}: {c.passed}/{c.total} "
        f"(target {c.target}, minimum {c.minimum})"
        for c in suite.categories
    ]
    lines += [f"    flag  {flag}: {count}" for flag, count in suite.flags.items()]
    for query in suite.queries:
        if not query.passed:
            failed = "; ".join(
                f"{check.name}: {check.detail}" for check in query.checks if not check.ok
            )
            lines.append(f"    {query.id}  {query.prompt}\n        {failed}")
    return "\n".join(lines)
