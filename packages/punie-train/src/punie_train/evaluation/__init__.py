"""Scores that are earned: what a model writes is run, and what it did is compared with what is true.

Suites are data (`load_suite`), a turn is played on a fresh copy of a workspace with the real tools, and
calls, fields, printed facts and files decide. The heavy parts are imported when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from punie_train.evaluation.config import ValidateConfig

if TYPE_CHECKING:
    from punie_train.evaluation.comparison import compare, render_comparison
    from punie_train.evaluation.render import render_scores
    from punie_train.evaluation.reporting import report
    from punie_train.evaluation.scores import Scores, load_scores
    from punie_train.evaluation.suite import Suite, load_suite, suite_schema
    from punie_train.evaluation.validation import validate

__all__ = [
    "Scores",
    "Suite",
    "ValidateConfig",
    "compare",
    "load_scores",
    "load_suite",
    "render_comparison",
    "render_scores",
    "report",
    "suite_schema",
    "validate",
]

_HOMES = {
    "Scores": "scores",
    "Suite": "suite",
    "compare": "comparison",
    "load_scores": "scores",
    "load_suite": "suite",
    "render_comparison": "comparison",
    "render_scores": "render",
    "report": "reporting",
    "suite_schema": "suite",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
