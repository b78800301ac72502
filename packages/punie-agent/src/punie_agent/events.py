"""What a running turn tells its watcher, as frozen values.

`run_turn` calls one plain function with these, in the order in which things happen: the terminal
display, the ACP server, the trace writer and tests are all such watchers. A watcher must not block;
it decides nothing (permissions do, see `punie_agent.permissions`).

Within a turn each `CodeStarted` is closed by one `CodeFinished`, and each `CallStarted` by one
`CallFinished`, also when the turn is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from punie_agent.models import Usage
    from punie_sandbox import RunResult

__all__ = [
    "CallFinished",
    "CallStarted",
    "CodeFinished",
    "CodeStarted",
    "Compacted",
    "Effect",
    "Event",
    "Notice",
    "OnEvent",
    "Retried",
    "TextDelta",
    "ThoughtDelta",
    "UsageReport",
]

Effect = Literal["read", "write", "execute"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the model's prose for the user, without the code blocks."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """A piece of the model's reasoning, where the model shows it."""

    text: str


@dataclass(frozen=True, slots=True)
class CodeStarted:
    """The model wrote code and it is about to be checked and run."""

    code_id: str
    code: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The code called a tool; it may still wait for a permission."""

    code_id: str
    call_id: str
    tool: str
    arguments: Mapping[str, object]
    effect: Effect


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A tool call is over: it ran, it failed, or it was not allowed.

    `value` is what the tool returned (a result model or text), `summary` one line about it;
    `error` is the message the code saw as an exception, or None.
    """

    code_id: str
    call_id: str
    tool: str
    decision: Literal["allow", "deny"]
    summary: str
    error: str | None = None
    value: object = None


@dataclass(frozen=True, slots=True)
class CodeFinished:
    """The code has run, or could not: `result.status` names the outcome.

    `result` is None only when the turn was cancelled while the code was running.
    """

    code_id: str
    result: RunResult | None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Tokens spent by this turn so far, and how full the model's context is (None = not known)."""

    usage: Usage
    context_tokens: int | None = None
    context_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """The model was asked again; `reason` says why, in one sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Compacted:
    """Older messages were shortened because the model's context was filling up."""

    messages_before: int
    messages_after: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What Punie itself, and not the model, has to say at the end of a turn: that nothing ran, say."""

    text: str


Event = (
    TextDelta
    | ThoughtDelta
    | CodeStarted
    | CallStarted
    | CallFinished
    | CodeFinished
    | UsageReport
    | Retried
    | Compacted
    | Notice
)
OnEvent = Callable[[Event], None]
