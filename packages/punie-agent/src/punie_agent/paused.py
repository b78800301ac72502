"""A run that waits for a person's decision, as a value that can be stored and taken up by another process.

Whoever can change what was stored must not change what is asked about or done. So the value holds nothing
but signed bytes: the sandbox's own for a run that stopped at a call, and the signed code for a plan, of
which nothing has happened yet. The key is the user's (`punie_agent.paths.signing_key`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from punie_agent.errors import SessionError
from punie_agent.paths import signing_key

if TYPE_CHECKING:
    from punie_agent.permissions import Permissions
    from punie_sandbox import Call, Decision, RunResult, Sandbox, SnapshotError

__all__ = ["PausedRun", "decided", "lost", "paused_at", "resumed", "run_afresh", "waiting"]

_PLAN = b"PUNIE-PLAN\x00\x01"
_SIGNATURE = 32


@dataclass(frozen=True, slots=True)
class PausedRun:
    """Code that stopped at a call which nobody could be asked about, or a plan that nobody could.

    `blob` is signed, and goes on only with the same functions and signing key. What it waits for is read
    from it alone, see `waiting`. `code_id` says which code of the conversation it is.
    """

    code_id: str
    blob: bytes

    @property
    def plans(self) -> bool:
        """True when a whole plan waits rather than one call."""
        return self.blob.startswith(_PLAN)

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON values."""
        return {"code_id": self.code_id, "blob": base64.b64encode(self.blob).decode("ascii")}

    @classmethod
    def from_json(cls, data: object) -> PausedRun:
        """The run back from its JSON.

        Raises:
            SessionError: it is damaged.
        """
        try:
            given: Any = data
            return cls(str(given["code_id"]), base64.b64decode(given["blob"], validate=True))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise SessionError(f"the stored paused run is damaged: {error}") from error


def paused_at(code_id: str, result: RunResult) -> PausedRun:
    """The value for a run whose status is "pending"."""
    if result.pending is None:
        code = result.code.encode()
        return PausedRun(code_id, _PLAN + _signature(code) + code)
    return PausedRun(code_id, result.pending.dump())


def waiting(sandbox: Sandbox, paused: PausedRun) -> tuple[str, Call | None]:
    """The code that waits, and the call it waits for; None for a plan, which is to be made anew.

    Raises:
        SnapshotError: its bytes were changed, or it cannot go on in this sandbox.
    """
    from punie_sandbox import SnapshotError

    if not paused.plans:
        pending = sandbox.waiting(paused.blob)
        return pending.code, pending.call
    signed = paused.blob[len(_PLAN) :]
    signature, code = signed[:_SIGNATURE], signed[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(code)):
        raise SnapshotError(
            "the signature does not fit: the plan was changed, or signed with another key"
        )
    return code.decode(), None


def _signature(code: bytes) -> bytes:
    return hmac.digest(signing_key(), _PLAN + code, hashlib.sha256)


async def decided(call: Call, permissions: Permissions | None) -> Decision:
    """Ask about the waiting call; the action is "ask" when nobody can be asked yet."""
    from punie_sandbox import deny

    return (
        await permissions(call) if permissions is not None else deny("nobody is here to allow it")
    )


async def resumed(sandbox: Sandbox, paused: PausedRun, code: str, decision: Decision) -> RunResult:
    """Let the run go on with the decision.

    A state that cannot be resumed (other functions, another key) is a failed run, not an error.
    """
    from punie_sandbox import SnapshotError

    try:
        return await sandbox.resume(paused.blob, decision)
    except SnapshotError as error:
        return lost(error, code)


def lost(error: SnapshotError, code: str = "") -> RunResult:
    """The failed run that stands for one which cannot go on."""
    from punie_sandbox import RunError, RunResult, Status

    problem = RunError("SnapshotError", f"the paused run could not go on: {error}")
    return RunResult(Status.ERROR, code, error=problem, state="lost")


async def run_afresh(sandbox: Sandbox, code: str) -> RunResult:
    """Run code; a run that is still paused in this sandbox, and that nobody took up, is given up for it."""
    from punie_sandbox import PendingRunError

    try:
        return await sandbox.run(code)
    except PendingRunError:
        await sandbox.reset()
        return await sandbox.run(code)
