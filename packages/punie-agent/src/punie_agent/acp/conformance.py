"""Judge a recorded conversation between a client and an agent by the protocol's rules.

`protocol_faults` needs nothing but the frames: answers pair with requests, nothing of a turn comes after
its end, tool calls are announced before they are updated and are over when their turn is.
`schema_faults` validates every frame against the official schema (it needs `jsonschema`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Frame", "protocol_faults", "schema_faults"]

Frame = tuple[str, dict[str, Any]]
"""Who sent it ("client" or "agent"), and the message."""

_ANY_TIME = {
    "available_commands_update",
    "config_option_update",
    "current_mode_update",
    "session_info_update",
}
_REPLAYING = {"session/load"}
_OVER = {"completed", "failed"}


def protocol_faults(frames: Iterable[Frame]) -> list[str]:
    """Return what breaks the rules that a schema cannot express; empty when nothing does."""
    judge = _Judge()
    for side, message in frames:
        judge.see(side, message)
    return judge.faults


class _Judge:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self._open: dict[tuple[str, Any], tuple[str, dict[str, Any]]] = {}
        self._calls: dict[tuple[str, str], str] = {}

    def see(self, side: str, message: dict[str, Any]) -> None:
        if message.get("jsonrpc") != "2.0":
            self.faults.append(f"{side}: no jsonrpc 2.0 in {message!r:.200}")
        if "method" not in message:
            self._response(side, message)
        elif "id" in message:
            self._request(side, message)
        elif message["method"] == "session/update" and side == "agent":
            self._update(message["params"])

    def _request(self, side: str, message: dict[str, Any]) -> None:
        key = (side, message["id"])
        if key in self._open:
            self.faults.append(f"{side}: the id {message['id']!r} is used twice at once")
        self._open[key] = (message["method"], message.get("params") or {})

    def _response(self, side: str, message: dict[str, Any]) -> None:
        if ("result" in message) == ("error" in message):
            self.faults.append(f"{side}: not exactly one of result and error in {message!r:.200}")
        asker = "client" if side == "agent" else "agent"
        request = self._open.pop((asker, message.get("id")), None)
        if request is None:
            if message.get("id") is not None:
                self.faults.append(f"{side}: an answer to nothing, id {message['id']!r}")
        elif request[0] == "session/prompt":
            self._turn_over(str(request[1].get("sessionId")))

    def _turn_over(self, session: str) -> None:
        for (owner, call), status in self._calls.items():
            if owner == session and status not in _OVER:
                self.faults.append(f"tool call {call} is {status} after its turn")

    def _update(self, params: Mapping[str, Any]) -> None:
        session, update = params["sessionId"], params["update"]
        kind = update["sessionUpdate"]
        if kind not in _ANY_TIME and not self._in_turn(session):
            self.faults.append(f"{kind} outside any turn of session {session}")
        if kind == "tool_call":
            self._calls[session, update["toolCallId"]] = update.get("status", "pending")
        elif kind == "tool_call_update":
            self._progress(session, update)

    def _progress(self, session: str, update: Mapping[str, Any]) -> None:
        key = (session, update["toolCallId"])
        if key not in self._calls:
            self.faults.append(f"tool call {key[1]} is updated before it is announced")
        elif self._calls[key] in _OVER:
            self.faults.append(f"tool call {key[1]} is updated after it was {self._calls[key]}")
        self._calls[key] = update.get("status", self._calls.get(key, "pending"))

    def _in_turn(self, session: str) -> bool:
        return any(
            method in {"session/prompt", *_REPLAYING} and params.get("sessionId") == session
            for (side, _), (method, params) in self._open.items()
            if side == "client"
        )


def schema_faults(
    frames: Iterable[Frame], schema: Mapping[str, Any], *, unchecked: Iterable[str] = ()
) -> list[str]:
    """Return where frames differ from the protocol's schema; empty when nowhere.

    Args:
        frames: the conversation.
        schema: `schema.json` of protocol version 1, as published with the TypeScript SDK.
        unchecked: methods that are not in it on purpose.
    """
    validators = _Validators(schema)
    passed = set(unchecked)
    faults: list[str] = []
    asked: dict[tuple[str, Any], str] = {}
    for side, message in frames:
        other = "client" if side == "agent" else "agent"
        if "method" in message:
            method = message["method"]
            part, name = message.get("params") or {}, validators.name(method, other, response=False)
            if "id" in message:
                asked[side, message["id"]] = method
        elif "result" in message:
            method = asked.pop((other, message["id"]), "?")
            part, name = message["result"] or {}, validators.name(method, side, response=True)
        else:
            asked.pop((other, message.get("id")), None)
            method, part, name = "error", message["error"], "Error"
        if method in passed:
            continue
        if name is None:
            faults.append(f"{side}: {method} is not in the schema")
        else:
            faults += [f"{side}: {method}: {fault}" for fault in validators.faults(name, part)]
    return faults


class _Validators:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._names: dict[tuple[str, str, bool], str] = {}
        for name, definition in schema["$defs"].items():
            if (method := definition.get("x-method")) is not None:
                key = (method, definition["x-side"], name.endswith("Response"))
                self._names[key] = name

    def name(self, method: str, handler: str, *, response: bool) -> str | None:
        for side in (handler, "protocol"):
            if (found := self._names.get((method, side, response))) is not None:
                return found
        # `session/update` is marked with the side that receives it, `session/cancel` likewise.
        other = "client" if handler == "agent" else "agent"
        return None if response else self._names.get((method, other, False))

    def faults(self, name: str, part: object) -> list[str]:
        from jsonschema import Draft202012Validator  # a test dependency

        whole = {"$ref": f"#/$defs/{name}", "$defs": self._schema["$defs"]}
        return [
            f"{error.json_path}: {error.message:.300}"
            for error in Draft202012Validator(whole).iter_errors(part)
        ]
