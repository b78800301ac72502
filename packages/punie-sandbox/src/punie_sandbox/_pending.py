"""A paused run as bytes: signed, versioned, and bound to the functions it was made for.

Layout: magic, version, HMAC-SHA256 over all that follows, length of the header, header (JSON), the
interpreter's own dump. The interpreter trusts its dumps, so nothing of one is read before its signature was
checked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from dataclasses import dataclass
from typing import Any

from pydantic_monty import __version__ as monty_version

from punie_sandbox.errors import SnapshotError
from punie_sandbox.records import Call

__all__ = ["Pending", "open_dump", "seal_dump"]

_MAGIC = b"PUNIE-PAUSED"
_VERSION = 1
_SIGNATURE = 32


@dataclass(frozen=True, slots=True)
class Pending:
    """A run that waits for a decision about one call.

    Attributes:
        call: the call.
        code: the code that made it.
    """

    call: Call
    code: str
    _blob: bytes

    def dump(self) -> bytes:
        """The paused run: store it, and give it to `Sandbox.resume` with the decision, in any process."""
        return self._blob


def _prefix() -> bytes:
    return _MAGIC + struct.pack(">H", _VERSION)


def seal_dump(key: bytes, header: dict[str, Any], state: bytes) -> bytes:
    """Sign a paused run."""
    text = json.dumps({**header, "monty": monty_version}).encode()
    body = struct.pack(">I", len(text)) + text + state
    return _prefix() + hmac.digest(key, _prefix() + body, hashlib.sha256) + body


def open_dump(key: bytes, blob: bytes, functions: str) -> tuple[dict[str, Any], bytes]:
    """Check a paused run and take it apart.

    Args:
        key: the signing key.
        blob: what `seal_dump` made.
        functions: digest of the functions it shall go on with.

    Raises:
        SnapshotError: it is no paused run, was changed or signed with another key, or belongs to other
            functions or another interpreter.
    """
    prefix = _prefix()
    if not blob.startswith(_MAGIC):
        raise SnapshotError("this is not a paused run")
    if not blob.startswith(prefix):
        raise SnapshotError(f"this paused run has another version than {_VERSION}")
    signature, body = blob[len(prefix) : len(prefix) + _SIGNATURE], blob[len(prefix) + _SIGNATURE :]
    if not hmac.compare_digest(signature, hmac.digest(key, prefix + body, hashlib.sha256)):
        raise SnapshotError(
            "the signature does not fit: the paused run was changed, or signed with another key"
        )
    (length,) = struct.unpack_from(">I", body)
    header = json.loads(body[4 : 4 + length])
    if header["functions"] != functions:
        raise SnapshotError("the functions changed since the run was paused; start it again")
    if header["monty"] != monty_version:
        raise SnapshotError(
            f"the run was paused by interpreter {header['monty']}, this is {monty_version}"
        )
    return header, body[4 + length :]
