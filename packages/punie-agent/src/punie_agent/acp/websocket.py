"""`punie serve`: the same agent over WebSocket, on this machine only, for whoever has the token.

One text frame is one JSON-RPC message, as the protocol SDK's WebSocket client sends it; every connection
is a client of its own, all share the sessions on disk. The token travels as `Authorization: Bearer TOKEN`,
or as `?token=TOKEN` where a client cannot set headers (a browser).

Covered: loopback addresses only, a constant-time comparison of the token, bounded frames. Not covered:
encryption and remote clients; put a tunnel in front for those.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
import signal
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from punie_agent.acp import _frames
from punie_agent.acp._serve import serve_connection
from punie_agent.acp._stdio import MAX_LINE
from punie_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from websockets.asyncio.server import Server
    from websockets.http11 import Request, Response

    from punie_agent.models import ChatModel

__all__ = ["WebSocketTransport", "serve_websocket"]

_BACKLOG = 1024


class WebSocketTransport:
    """A message transport over one accepted WebSocket."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._outgoing: asyncio.Queue[tuple[str, asyncio.Future[None] | None] | None]
        self._outgoing = asyncio.Queue()
        self._pump = asyncio.create_task(self._write())

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message; returns when it is sent.

        Raises:
            ConnectionError: The client is gone.
        """
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outgoing.put_nowait((_text(message), sent))
        if self._pump.done():
            raise ConnectionError("the client closed the connection")
        await sent

    def post(self, message: dict[str, Any]) -> None:
        """Send one message without waiting, in order with everything sent and posted."""
        self._outgoing.put_nowait((_text(message), None))

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, None when the client is gone; refuse what is no message."""
        while True:
            try:
                frame = await self._socket.recv()
            except ConnectionClosed:
                return None
            read = _frames.parse(frame.encode() if isinstance(frame, str) else frame)
            if not isinstance(read, _frames.Reject):
                return read
            if read.answer is not None:
                self.post(read.answer)

    async def close(self) -> None:
        """Send what is queued, then close the socket."""
        self._outgoing.put_nowait(None)
        await asyncio.gather(self._pump, return_exceptions=True)
        await self._socket.close()

    async def _write(self) -> None:
        while (item := await self._outgoing.get()) is not None:
            text, sent = item
            try:
                await self._socket.send(text)
            except ConnectionClosed:
                self._give_up(sent)
                return
            if sent is not None and not sent.done():
                sent.set_result(None)

    def _give_up(self, sent: asyncio.Future[None] | None) -> None:
        waiting = [sent]
        while not self._outgoing.empty():
            item = self._outgoing.get_nowait()
            waiting.append(None if item is None else item[1])
        for future in waiting:
            if future is not None and not future.done():
                future.set_exception(ConnectionError("the client closed the connection"))


def serve_websocket(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    model: str = "test",
    models: Mapping[str, Callable[[], ChatModel]] | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; prints the address, then the token, on two lines of stdout.

    Args:
        host: a loopback address.
        port: 0 for any free one.
        token: what a client must show; a new one when None.
        model: the model of new sessions.
        models: further models by name.

    Returns:
        The process's exit code, 128 + n on signal n.

    Raises:
        ConfigError: `host` is not a loopback address, or the port cannot be had.
    """
    if not _is_loopback(host):
        raise ConfigError(
            f"punie serve listens on this machine only, not on {host!r}: use 127.0.0.1"
        )
    return asyncio.run(_serve(host, port, token or secrets.token_urlsafe(32), model, models))


async def _serve(
    host: str,
    port: int,
    token: str,
    model: str,
    models: Mapping[str, Callable[[], ChatModel]] | None,
) -> int:
    async def handle(socket: ServerConnection) -> None:
        await serve_connection(WebSocketTransport(socket), model=model, models=models)

    def admit(socket: ServerConnection, request: Request) -> Response | None:
        if _may_enter(request, token):
            return None
        return socket.respond(HTTPStatus.UNAUTHORIZED, "show the token that punie serve printed\n")

    try:
        server = await serve(
            handle, host, port, process_request=admit, max_size=MAX_LINE, compression=None
        )
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    async with server:
        _announce(server, token)
        return 128 + await _signalled()


def _announce(server: Server, token: str) -> None:
    address, port = next(iter(server.sockets)).getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    print(f"ws://{shown}:{port}/acp\n{token}", flush=True)
    print("punie serve: waiting for clients; Ctrl-C ends it", file=sys.stderr, flush=True)


async def _signalled() -> int:
    loop = asyncio.get_running_loop()
    received: asyncio.Future[int] = loop.create_future()

    def note(number: int) -> None:
        if not received.done():
            received.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, note, number)
    return await received


def _may_enter(request: Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        shown = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    return hmac.compare_digest(shown.strip().encode(), token.encode())


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(message: dict[str, Any]) -> str:
    return _frames.encode(message).decode("ascii").rstrip("\n")
