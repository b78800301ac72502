"""What all answers of executed examples share: how they read a run, refuse it, and word a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from punie_sandbox import RunResult

__all__ = ["Refused", "Runs", "Slots", "begun", "name_of", "need", "plural", "results"]

Slots = Mapping[str, object]
Runs = Sequence[RunResult]


class Refused(Exception):  # noqa: N818 - it is a verdict, not an error of the program
    """The run did not show what the example is about."""


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def results(runs: Runs, tool: str) -> list[dict[str, Any]]:
    """Return what the calls of a tool returned that did not fail, in order."""
    return [
        call.result
        for run in runs
        for call in run.calls
        if call.name == tool and call.error is None
    ]


def need(condition: object, reason: str) -> None:
    """Refuse a run for which something does not hold.

    Raises:
        Refused: with the reason.
    """
    if not condition:
        raise Refused(reason)


def name_of(path: object) -> str:
    """Return how a sentence names a path."""
    return "the project" if path == "." else str(path)


def begun(sentence: str) -> str:
    """Return a sentence that begins with a path's name, with its first letter as it should be."""
    return (
        sentence.replace("the project", "The project", 1)
        if sentence.startswith("the ")
        else sentence
    )
