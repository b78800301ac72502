"""A session's past: the messages a model continues from, and the updates an editor is shown again.

`History` is the journal in memory. Text that arrives in pieces is kept as one update; a tool call that
a crash left open is shown as failed; terminals, which are gone, are shown as the text they had.

What lets code act is signed for its session: the permissions given, and the run that waits. Permissions
with another signature, or given while the session had other directories, do not hold, and such a run does not
go on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from punie_agent.acp.store import SessionDamagedError
from punie_agent.errors import SessionError
from punie_agent.paths import signing_key
from punie_agent.paused import PausedRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.acp.store import StoredSession
    from punie_agent.models import Message

__all__ = ["History"]

_LOG = logging.getLogger(__name__)
_CHUNKS = {"agent_message_chunk", "agent_thought_chunk"}
_OVER = {"completed", "failed"}
_ROLES = {"user", "assistant"}
_DOMAIN = b"PUNIE-JOURNAL\x00"


class History:
    """What happened in one session, in step with its journal.

    Attributes:
        messages: the conversation as the model knows it, without the system prompt.
        rules: the permissions given for this session.
        paused: a run that waits for a decision, None when there is none.
        problem: why the journal is behind, None when everything is on disk.
    """

    def __init__(self, stored: StoredSession) -> None:
        self._stored = stored
        self.messages: list[Message] = []
        self.rules: set[str] = set()
        self.paused: PausedRun | None = None
        self.problem: str | None = None
        self._pending: list[dict[str, Any]] = []
        self._text: dict[str, Any] | None = None

    def load(self) -> list[dict[str, Any]]:
        """Read the journal; return the updates to show again.

        Raises:
            SessionDamagedError: It is damaged; the message names the line.
        """
        from punie_agent.models import Message

        updates: list[dict[str, Any]] = []
        self.messages, self.rules, self.paused = [], set(), None
        for number, record in enumerate(self._stored.read(), 1):
            try:
                self._take(record, updates, Message)
            except (AttributeError, KeyError, TypeError, ValueError, SessionError) as error:
                raise SessionDamagedError(
                    f"session {self._stored.header.id} is damaged: record {number} of "
                    f"{self._stored.journal} cannot be used ({error}); "
                    "remove that line, or delete the session"
                ) from error
        return updates + _closing(updates)

    def _take(
        self, record: dict[str, Any], updates: list[dict[str, Any]], message_type: type[Message]
    ) -> None:
        match record:
            case {"kind": "update", "update": {"sessionUpdate": str()} as update}:
                updates.append(update)
            case {"kind": "message"}:
                self.messages.append(_message(message_type, record))
            case {"kind": "reset", "messages": list(records)}:
                self.messages = [_message(message_type, each) for each in records]
            case {"kind": "rules", "rules": list(rules)}:
                here = record.get("roots") == self._roots()
                held = rules if here and self._genuine(record) else ()
                self.rules = {rule for rule in held if isinstance(rule, str)}
            case {"kind": "paused", "run": run}:
                self.paused = None if run is None else PausedRun.from_json(run)
                if self.paused is not None and not self._genuine(record):
                    self.paused = replace(self.paused, blob=b"")  # the model hears that it is lost

    def told(self, update: dict[str, Any]) -> None:
        """Keep an update that an editor was sent."""
        if update["sessionUpdate"] in _CHUNKS and update["content"].get("type") == "text":
            self._add_text(update)
            return
        if update["sessionUpdate"] == "usage_update":
            return
        self._end_text()
        self._pending.append({"kind": "update", "update": update})
        self.save()

    def continued(self, messages: Sequence[Message]) -> None:
        """Take over the conversation as a turn left it."""
        new = [message for message in messages if message.role != "system"]
        known = len(self.messages)
        if new[:known] == self.messages:
            self._pending += [_record(message) for message in new[known:]]
        else:
            self._pending.append({"kind": "reset", "messages": [_record(each) for each in new]})
        self.messages = new

    def waits(self, paused: PausedRun | None) -> None:
        """Keep the run that waits for a decision, or that none does any more."""
        if paused != self.paused:
            self.paused = paused
            run = None if paused is None else paused.to_json()
            self._pending.append(self._signed({"kind": "paused", "run": run}))

    def allowed(self, rules: set[str]) -> None:
        """Keep the permissions given for this session."""
        if rules != self.rules:
            self.rules = set(rules)
            record = {"kind": "rules", "rules": sorted(rules), "roots": self._roots()}
            self._pending.append(self._signed(record))

    def _roots(self) -> list[str]:
        """The session's directories: what was allowed in them is allowed nowhere else."""
        header = self._stored.header
        return [header.cwd, *header.additional_directories]

    def _signed(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record with its signature; without, when there is no key to be had."""
        try:
            return {**record, "signature": self._signature(record)}
        except OSError as error:
            _LOG.warning("what may be done cannot be signed: %s", error)
            return record

    def _genuine(self, record: dict[str, Any]) -> bool:
        given = str(record.get("signature"))
        unsigned = {key: value for key, value in record.items() if key != "signature"}
        try:
            fits = hmac.compare_digest(given.encode(), self._signature(unsigned).encode())
        except (OSError, UnicodeError):
            fits = False
        if not fits:
            _LOG.warning(
                "%s: the signature of %s does not fit", self._stored.journal, record["kind"]
            )
        return fits

    def _signature(self, record: dict[str, Any]) -> str:
        text = json.dumps([self._stored.header.id, record], sort_keys=True)
        return hmac.digest(signing_key(), _DOMAIN + text.encode(), hashlib.sha256).hex()

    def save(self, *, ended: bool = False) -> None:
        """Bring the journal up to date; a failure is kept in `problem` and retried next time.

        Args:
            ended: the turn is over, so that text which is still arriving is whole.
        """
        if ended:
            self._end_text()
        records, self._pending = self._pending, []
        try:
            self._stored.append(records)
            self.problem = None
        except OSError as error:
            self.problem = f"{error.strerror or error}: {self._stored.journal}"
            _LOG.warning("the session is not saved: %s", self.problem)

    def _add_text(self, update: dict[str, Any]) -> None:
        if self._text is not None and self._text["sessionUpdate"] == update["sessionUpdate"]:
            self._text["content"]["text"] += update["content"]["text"]
            return
        self._end_text()
        self._text = {**update, "content": dict(update["content"])}

    def _end_text(self) -> None:
        if self._text is not None:
            self._pending.append({"kind": "update", "update": self._text})
            self._text = None


def _closing(updates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the updates that end tool calls which nothing ended."""
    running: dict[str, None] = {}
    for update in updates:
        if update.get("sessionUpdate") in {"tool_call", "tool_call_update"}:
            call = update.get("toolCallId", "")
            if update.get("status") in _OVER:
                running.pop(call, None)
            elif update["sessionUpdate"] == "tool_call":
                running[call] = None
    return [
        {"sessionUpdate": "tool_call_update", "toolCallId": call, "status": "failed"}
        for call in running
    ]


def _record(message: Message) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": "message", "role": message.role, "content": message.content}
    if message.images:
        record["images"] = [
            {"data": base64.b64encode(image.data).decode("ascii"), "type": image.media_type}
            for image in message.images
        ]
    return record


def _message(message_type: type[Message], record: dict[str, Any]) -> Message:
    from punie_agent.models import Image

    role, content = record["role"], record["content"]
    if role not in _ROLES or not isinstance(content, str):
        raise ValueError(f"no message: {role!r:.40}")
    images = tuple(
        Image(base64.b64decode(each["data"]), each["type"]) for each in record.get("images", ())
    )
    return message_type(role, content, images)
