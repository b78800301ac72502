"""Who may do what: the policy that every tool call of the sandbox passes through.

`Permissions` is handed to the sandbox as its policy. It decides from the mode, from remembered rules
and, last, by asking a person. Whatever is not a clear "yes" is a "no": an unknown answer, an asker
that raises, no asker at all. A rejection stops that one call, and the code sees a PermissionError.

Rules for a project live in a readable JSON file in the user's data directory and not in the project:
a cloned repository, or code the model wrote, cannot grant itself anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from punie_agent.events import Effect

__all__ = [
    "MODES",
    "Asker",
    "Mode",
    "Outcome",
    "PermissionDecision",
    "PermissionRequest",
    "Permissions",
]

Outcome = Literal["allow_once", "allow_session", "allow_always", "reject"]
Mode = Literal["ask", "accept-edits", "plan", "auto"]
MODES: Mapping[Mode, str] = {
    "ask": "Ask before each write and each command",
    "accept-edits": "Write files without asking, ask before each command",
    "plan": "Run on an overlay, show one diff, ask once",
    "auto": "Write and run without asking",
}


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What a person is asked, with everything needed to answer.

    Attributes:
        code_id: the code call it comes from, as in the events.
        call_id: the tool call; "" for the approval of a whole plan.
        tool: the tool's name, or "plan".
        effect: what it does to the world.
        title: one line for a card, for example "Write src/app.py" or "Run pytest -q".
        arguments: the call's arguments by name.
        path: the file a write goes to, as the code gave it.
        old_text: that file's text now; None when the file is new or not text.
        new_text: the text it would get.
        diff: a unified diff, for a write or a whole plan.
        command: the command line, for an execution.
        rule: what "always" would remember, for example "run_command: pytest -q".
    """

    code_id: str
    call_id: str
    tool: str
    effect: Effect
    title: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    path: str | None = None
    old_text: str | None = None
    new_text: str | None = None
    diff: str | None = None
    command: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class PermissionDecision:
    """A person's answer. `reason` is told to the code when the answer is no."""

    outcome: Outcome
    reason: str = ""


Asker = Callable[[PermissionRequest], Awaitable[PermissionDecision]]


class Permissions:
    """The sandbox's policy: decides from mode, remembered rules and an asker, in this order."""

    def __init__(self, asker: Asker | None = None, *, mode: Mode = "ask") -> None:
        self.asker = asker
        self.mode: Mode = mode
