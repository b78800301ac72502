"""Tool calls that ended without an answer, though the code that made them went on as if there were one.

A typed result says so in its `status`, and code that prints only `result.errors` does not look there: nothing
printed then reads as nothing found. So both the model and the person are told, whatever the code printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punie_sandbox import CallRecord, RunResult

__all__ = ["unanswered"]

_ANSWERED = frozenset({"clean", "findings"})
_LONGEST = 300
"""Characters of a reason; what a tool says of itself may be long, and comes from outside."""


def unanswered(run: RunResult, shown: str = "") -> list[str]:
    """Return a sentence for each tool that gave no answer in a run, with the reason it gave.

    A tool that was asked again later in the same run, and answered, is left out.

    Args:
        run: what was run.
        shown: a reason that stands in this text is known already.
    """
    reasons: dict[str, str] = {}
    for call in run.calls:
        reason = _reason(call)
        if reason:
            reasons[call.name] = reason
        else:
            reasons.pop(call.name, None)
    return [
        f"{name} gave no answer: {reason}"
        for name, reason in reasons.items()
        if reason not in shown
    ]


def _reason(call: CallRecord) -> str:
    """Why a typed result is no answer; "" for one that is, and for what is no typed result."""
    result = call.result
    if not isinstance(result, Mapping) or result.get("status") in _ANSWERED:
        return ""
    reason = result.get("parse_error")
    return reason.strip().partition("\n")[0][:_LONGEST] if isinstance(reason, str) else ""
