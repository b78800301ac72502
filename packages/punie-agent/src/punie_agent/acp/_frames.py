"""One line of the wire, read without trust: a JSON-RPC message, or why it is not one.

Covered: bytes that are not UTF-8 or not JSON, nesting bombs, values that are not objects, batches,
wrong ids, wrong methods, damaged responses, lone surrogates (which no file could store later).
Not covered: what a method's parameters mean; the router validates those against the protocol's schema.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = [
    "INVALID_REQUEST",
    "PARSE_ERROR",
    "Reject",
    "encode",
    "error_response",
    "overlong",
    "parse",
]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
_RESPONSE_ERROR = -32603

_SURROGATE = re.compile("[\ud800-\udfff]")
_HEAD_ID = re.compile(rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,200}")\s*[,}]')


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that is no message. `answer` goes back to the sender, None when nothing may."""

    reason: str
    answer: dict[str, Any] | None


def encode(message: dict[str, Any]) -> bytes:
    """Return `message` as one line of ASCII JSON: whatever it holds, it stays one line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def error_response(request_id: object, code: int, message: str, reason: str) -> dict[str, Any]:
    """Return the JSON-RPC error answer to `request_id`."""
    error = {"code": code, "message": message, "data": {"reason": reason}}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def parse(line: bytes) -> dict[str, Any] | Reject:
    """Read one line.

    A request or notification comes back with `method` a string and `params`, where given, an object
    or array. A response comes back with a usable id and either `result` or an error object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return Reject(reason, error_response(None, PARSE_ERROR, "Parse error", reason))
    if not isinstance(message, dict):
        kind = "batches are" if isinstance(message, list) else "a bare value is"
        return _invalid(None, f"{kind} not supported: send one JSON object on each line")
    if b"\\ud" in line or b"\\uD" in line:
        message = _without_surrogates(message)
    return _request(message) if "method" in message else _response(message)


def _request(message: dict[str, Any]) -> dict[str, Any] | Reject:
    request_id = message.get("id")
    if not _usable_id(request_id):
        return _invalid(None, "id must be a string, an integer or null")
    if message.get("jsonrpc") != "2.0":
        return _invalid(request_id, 'jsonrpc must be "2.0"')
    if not isinstance(message["method"], str):
        return _invalid(request_id, "method must be a string")
    if not isinstance(message.get("params", {}), dict | list | None):
        return _invalid(request_id, "params must be an object or an array")
    return message


def _response(message: dict[str, Any]) -> dict[str, Any] | Reject:
    if not ("result" in message or "error" in message):
        return _invalid(
            message["id"] if _usable_id(message.get("id")) and "id" in message else None,
            "neither a request, nor a notification, nor a response",
        )
    if not _usable_id(message.get("id")) or message.get("id") is None:
        return Reject("a response without a usable id", None)
    if "error" in message and not _usable_error(message["error"]):
        error = {"code": _RESPONSE_ERROR, "message": f"malformed error: {message['error']!r:.200}"}
        return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return message


def overlong(head: bytes, limit: int) -> dict[str, Any] | Reject:
    """Say what a line longer than `limit` bytes stands for, from its first bytes alone.

    When it is the response to a request of ours, that request must fail rather than wait for ever.
    """
    reason = f"the message is longer than {limit} bytes"
    found = _HEAD_ID.search(head)
    request_id = json.loads(found[1]) if found else None
    if found and b'"method"' not in head:
        error = {"code": _RESPONSE_ERROR, "message": reason}
        return {"jsonrpc": "2.0", "id": request_id, "error": error}
    return _invalid(request_id, reason)


def _invalid(request_id: object, reason: str) -> Reject:
    return Reject(reason, error_response(request_id, INVALID_REQUEST, "Invalid request", reason))


def _usable_id(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _usable_error(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("message"), str)
        and isinstance(value.get("code"), int)
    )


def _without_surrogates(value: Any) -> Any:
    """Replace lone surrogates, which JSON can spell and UTF-8 cannot store."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", k): _without_surrogates(v) for k, v in value.items()}
    return value
