"""The first exchange of a connection, answered before anything heavy is imported.

Importing the protocol SDK takes about a second, nearly all of it building validators that
`initialize` does not need: the answer is a constant. So `Handshake` sits between the raw transport
and the SDK's connection, answers `initialize` itself and keeps what the client can do; by the time
the client has read the answer, the SDK is being imported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from punie_agent.acp._frames import error_response

__all__ = [
    "PROTOCOL_VERSION",
    "ClientFeatures",
    "Handshake",
    "MessageTransport",
    "describe_agent",
    "request_id",
]

PROTOCOL_VERSION = 1
request_id: ContextVar[object] = ContextVar("request_id", default=None)
"""The id of the request being handled: the SDK's handlers are not told, and cancelling needs it."""
_INVALID_PARAMS = -32602


class MessageTransport(Protocol):
    """Moves decoded JSON-RPC messages; the SDK's `Transport` by structure."""

    async def send(self, message: dict[str, Any]) -> None:
        """Deliver one message; returns when it is on its way."""
        ...

    def post(self, message: dict[str, Any]) -> None:
        """Deliver one message without waiting, in order with everything sent and posted."""
        ...

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, None at the end."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True, slots=True)
class ClientFeatures:
    """What the client said it can do; nothing else may ever be asked of it."""

    read_files: bool = False
    write_files: bool = False
    terminals: bool = False
    boolean_options: bool = False
    name: str = ""

    @classmethod
    def of(cls, params: dict[str, Any]) -> ClientFeatures:
        """Read `initialize` parameters; whatever is malformed counts as not offered."""
        offered = _object(params.get("clientCapabilities"))
        files = _object(offered.get("fs"))
        options = _object(_object(offered.get("session")).get("configOptions"))
        return cls(
            read_files=files.get("readTextFile") is True,
            write_files=files.get("writeTextFile") is True,
            terminals=offered.get("terminal") is True,
            boolean_options=isinstance(options.get("boolean"), dict),
            name=str(_object(params.get("clientInfo")).get("name", "")),
        )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def describe_agent(version: str) -> dict[str, Any]:
    """Return the answer to `initialize`: the protocol version and everything this agent can do."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "agentInfo": {"name": "punie", "title": "Punie", "version": version},
        "agentCapabilities": {
            "loadSession": True,
            "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
            "mcpCapabilities": {"http": True, "sse": False},
            "sessionCapabilities": {
                "list": {},
                "delete": {},
                "additionalDirectories": {},
                "fork": {},
                "resume": {},
                "close": {},
            },
        },
        "authMethods": [],
    }


class Handshake:
    """A transport that answers `initialize` and passes everything else through."""

    def __init__(self, transport: MessageTransport, *, version: str) -> None:
        self._transport = transport
        self._version = version
        self._held: deque[dict[str, Any] | None] = deque()
        self._afterwards: dict[object, list[Callable[[], object]]] = {}
        self.features = ClientFeatures()

    async def ready(self) -> None:
        """Return once `initialize` is answered, or something else has arrived instead."""
        message = await self._transport.receive()
        if message is None or not await self._answered(message):
            self._held.append(message)

    def afterwards(self, call: Callable[[], object]) -> None:
        """Call `call` once the request being handled has been answered."""
        self._afterwards.setdefault(request_id.get(), []).append(call)

    async def send(self, message: dict[str, Any]) -> None:
        """Deliver one message."""
        await self._transport.send(message)
        if "method" not in message:
            for call in self._afterwards.pop(message.get("id"), ()):
                call()

    def post(self, message: dict[str, Any]) -> None:
        """Deliver one message without waiting."""
        self._transport.post(message)

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message that is not part of the handshake."""
        while True:
            message = self._held.popleft() if self._held else await self._transport.receive()
            if message is None or not await self._answered(message):
                # The connection starts each handler's task from the context this runs in.
                request_id.set(None if message is None else message.get("id"))
                return message

    async def close(self) -> None:
        """Close the transport beneath."""
        await self._transport.close()

    async def _answered(self, message: dict[str, Any]) -> bool:
        if message.get("method") != "initialize" or "id" not in message:
            return False
        params = _object(message.get("params"))
        version = params.get("protocolVersion")
        if not isinstance(version, int) or isinstance(version, bool):
            reason = "protocolVersion must be an integer"
            answer = error_response(message["id"], _INVALID_PARAMS, "Invalid params", reason)
        else:
            self.features = ClientFeatures.of(params)
            result = describe_agent(self._version)
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        await self._transport.send(answer)
        return True
