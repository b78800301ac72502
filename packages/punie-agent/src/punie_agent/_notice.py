"""What a person must know at the end of a turn, whatever the model claims: said by Punie, from the facts.

A small model whose code never got through the check may still write "there are no errors". The loop knows
better, and says so in an event of its own (`punie_agent.events.Notice`); the model is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from punie_agent._unanswered import unanswered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.loop import StopReason
    from punie_sandbox import RunResult

__all__ = ["notice_of", "went_through"]

_UNTRIED = "What is said above rests on no result."


def went_through(run: RunResult) -> bool:
    """True when code did all it could: to its end, or as far as a plan can go in one step."""
    return run.ok or run.status == "plan_stopped"


def notice_of(runs: Sequence[RunResult], *, cut_off: bool, stop_reason: StopReason) -> str:
    """The sentence for a person, "" when there is nothing to add.

    Args:
        runs: the turn's runs, in order.
        cut_off: the last code was too long to arrive whole, and so was not run.
        stop_reason: how the turn ended.
    """
    if stop_reason in {"cancelled", "paused"}:
        return ""
    parts = [_of_code(runs, cut_off=cut_off)]
    if stop_reason == "max_turn_requests":
        parts.append("The turn reached its limit before there was an answer.")
    elif stop_reason == "max_tokens":
        parts.append("The answer was cut off at the limit of its length.")
    return " ".join(filter(None, parts))


def _of_code(runs: Sequence[RunResult], *, cut_off: bool) -> str:
    if cut_off:
        return f"The last code was cut off and was not run. {_UNTRIED}"
    if not runs:
        return ""
    if went_through(runs[-1]):
        return " ".join(unanswered(runs[-1]))
    if all(run.status == "check_failed" for run in runs):
        times = "" if len(runs) == 1 else f" {len(runs)} times"
        return f"Nothing was run: the code failed its check{times}. {_UNTRIED}"
    if runs[-1].status == "check_failed":
        return f"The last code failed its check and was not run. {_UNTRIED}"
    return f"The last code did not run to its end ({_cause(runs[-1])})."


def _cause(run: RunResult) -> str:
    """The first line about what ended a run."""
    said = "" if run.error is None else f"{run.error.type}: {run.error.message}".splitlines()[0]
    return said[:200] or run.status.value.replace("_", " ")
