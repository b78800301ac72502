"""Traces: what the agent did, kept on this machine if its user wants that, as material for training.

Off until `punie trace on`. A trace is one JSON file per turn: the conversation in the contract's chat
format, every run in the sandbox's trace format, and how it came out. Secrets are redacted before
anything is written. Nothing is ever sent anywhere.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from punie_agent._redact import redacted
from punie_agent._turn import RETRIES
from punie_agent.errors import TraceError
from punie_agent.paths import data_dir, write_whole
from punie_agent.planning import was_refused

if TYPE_CHECKING:
    from punie_agent.contract import Contract
    from punie_agent.loop import TurnResult
    from punie_sandbox import RunResult

__all__ = [
    "Trace",
    "Verdict",
    "disable",
    "enable",
    "enabled",
    "read",
    "record",
    "stored",
    "verdict_of",
]

VERSION = 1
Verdict = Literal["accepted", "rejected", "failed"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trace:
    """One stored turn: its file, and its JSON."""

    path: Path
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """What it is called in `punie trace show`."""
        return self.path.stem

    @property
    def verdict(self) -> str:
        """How the turn came out."""
        return str(self.data.get("outcome", {}).get("verdict", ""))


def _folder() -> Path:
    return data_dir() / "traces"


def _switch() -> Path:
    return _folder() / "on"


def enabled() -> bool:
    """True when the user switched traces on."""
    return _switch().exists()


def enable() -> Path:
    """Switch traces on; returns the folder they go to."""
    write_whole(_switch(), "")
    return _folder()


def disable() -> None:
    """Switch traces off; what is stored stays."""
    _switch().unlink(missing_ok=True)


def record(result: TurnResult, *, model: str, contract: Contract, project: Path) -> Path | None:
    """Store one turn, if traces are on and its code ran at all.

    A trace that cannot be written is a warning: it must not cost anybody their answer.

    Returns:
        The file, or None when nothing was stored.
    """
    if not result.runs or not enabled():
        return None
    now = datetime.now(UTC)
    last_user = max(
        number
        for number, message in enumerate(result.messages)
        if message.role == "user" and not _is_told(number, result, contract)
    )
    data = {
        "version": VERSION,
        "time": now.isoformat(timespec="seconds"),
        "model": model,
        "project": project.resolve().name,
        "contract": contract.to_json(),
        "contract_digest": contract.digest(),
        "prompt": result.messages[last_user].content,
        "messages": [{"role": each.role, "content": each.content} for each in result.messages],
        "runs": [run.to_json() for run in result.runs],
        "outcome": {
            "verdict": verdict_of(result),
            "stop_reason": result.stop_reason,
            "denied_calls": sum(
                call.decision == "deny" for run in result.runs for call in run.calls
            ),
            "tests_passed_after": _tests_after(result.runs),
        },
    }
    path = _folder() / f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.json"
    try:
        write_whole(
            path, json.dumps(redacted(data), ensure_ascii=False, indent=1) + "\n", private=True
        )
    except (OSError, TypeError, ValueError) as error:
        logger.warning("the trace was not stored: %s", error)
        return None
    return path


def _is_told(number: int, result: TurnResult, contract: Contract) -> bool:
    """True when this user message is not the user's but what a run led to."""
    if result.messages[number].content in RETRIES:
        return True
    if number == 0 or result.messages[number - 1].role != "assistant":
        return False
    return contract.parse(result.messages[number - 1].content).acts


def verdict_of(result: TurnResult) -> Verdict:
    """How a turn came out: rejected when a call or a plan was, failed when its last code did not run."""
    denied = any(call.decision == "deny" for run in result.runs for call in run.calls)
    if denied or any(was_refused(run) for run in result.runs):
        return "rejected"
    complete = result.stop_reason == "end_turn" and bool(result.final_text) and not result.cut_off
    return "accepted" if complete and result.runs and result.runs[-1].ok else "failed"


def _tests_after(runs: tuple[RunResult, ...]) -> bool | None:
    """Whether the last test run of the turn passed; None when there was none."""
    for run in reversed(runs):
        for call in reversed(run.calls):
            if call.name == "pytest_run" and isinstance(call.result, dict):
                return call.result.get("success") is True
    return None


def stored() -> Iterator[Trace]:
    """All traces, oldest first; damaged files are left out with a warning."""
    for path in sorted(_folder().glob("*.json")):
        try:
            yield read(path.stem)
        except TraceError as error:
            logger.warning("%s", error)


def read(trace_id: str) -> Trace:
    """One trace by its id.

    Raises:
        TraceError: there is none of that id, or it is damaged.
    """
    path = _folder() / f"{trace_id}.json"
    if "/" in trace_id or not path.is_file():
        raise TraceError(f"there is no trace {trace_id!r}; punie trace show lists them")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TraceError(f"{path} cannot be read: {error}") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise TraceError(f"{path} is not a trace of version {VERSION}")
    return Trace(path, data)
