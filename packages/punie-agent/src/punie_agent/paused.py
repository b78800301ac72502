"""A run that waits for a person's decision, as a value that can be stored and taken up by another process."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from punie_agent.errors import SessionError
from punie_agent.events import Effect

if TYPE_CHECKING:
    from punie_agent.permissions import Permissions
    from punie_sandbox import Decision, RunResult, Sandbox

__all__ = ["PausedRun", "decided", "paused_at", "resumed", "run_afresh"]

_EFFECTS: dict[str, Effect] = {"read": "read", "write": "write", "execute": "execute"}


@dataclass(frozen=True, slots=True)
class PausedRun:
    """Code that stopped at a call which nobody could be asked about.

    `blob` is the sandbox's signed state: it resumes only with the same functions and signing key (see
    `punie_agent.paths.signing_key`). It is empty for a plan, of which nothing has happened yet: that is
    made anew. The other fields say what a person is asked.
    """

    code_id: str
    code: str
    blob: bytes
    call_id: int
    tool: str
    effect: Effect
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plans(self) -> bool:
        """True when a whole plan waits rather than one call."""
        return not self.blob

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON values."""
        return {
            "code_id": self.code_id,
            "code": self.code,
            "blob": base64.b64encode(self.blob).decode("ascii"),
            "call_id": self.call_id,
            "tool": self.tool,
            "effect": self.effect,
            "arguments": dict(self.arguments),
        }

    @classmethod
    def from_json(cls, data: object) -> PausedRun:
        """The run back from its JSON.

        Raises:
            SessionError: it is damaged.
        """
        try:
            given: Any = data
            blob = base64.b64decode(given["blob"], validate=True)
            return cls(
                code_id=str(given["code_id"]),
                code=str(given["code"]),
                blob=blob,
                call_id=int(given["call_id"]),
                tool=str(given["tool"]),
                effect=_EFFECTS[given["effect"]],
                arguments=dict(given["arguments"]),
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise SessionError(f"the stored paused run is damaged: {error}") from error


def paused_at(code_id: str, result: RunResult) -> PausedRun:
    """The value for a run whose status is "pending"."""
    if result.pending is None:
        return PausedRun(code_id, result.code, b"", 0, "plan", "write")
    call = result.pending.call
    return PausedRun(
        code_id=code_id,
        code=result.code,
        blob=result.pending.dump(),
        call_id=call.id,
        tool=call.name,
        effect=call.effect,
        arguments=call.arguments,
    )


async def decided(paused: PausedRun, permissions: Permissions | None) -> Decision:
    """Ask about the waiting call; the action is "ask" when nobody can be asked yet."""
    from punie_sandbox import Call, deny

    call = Call(paused.call_id, paused.tool, paused.arguments, paused.effect)
    return (
        await permissions(call) if permissions is not None else deny("nobody is here to allow it")
    )


async def resumed(sandbox: Sandbox, paused: PausedRun, decision: Decision) -> RunResult:
    """Let the run go on with the decision.

    A state that cannot be resumed (other functions, another key) is a failed run, not an error.
    """
    from punie_sandbox import RunError, RunResult, SnapshotError, Status

    try:
        return await sandbox.resume(paused.blob, decision)
    except SnapshotError as error:
        problem = RunError("SnapshotError", f"the paused run could not go on: {error}")
        return RunResult(Status.ERROR, paused.code, error=problem, state="lost")


async def run_afresh(sandbox: Sandbox, code: str) -> RunResult:
    """Run code; a run that is still paused in this sandbox, and that nobody took up, is given up for it."""
    from punie_sandbox import PendingRunError

    try:
        return await sandbox.run(code)
    except PendingRunError:
        await sandbox.reset()
        return await sandbox.run(code)
