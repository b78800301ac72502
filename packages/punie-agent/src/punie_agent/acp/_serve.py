"""From a connected client to a served one, in the order that makes the first answer fast."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from punie_agent.acp._stdio import StdioTransport, claim
from punie_agent.acp.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from punie_agent.acp.handshake import MessageTransport
    from punie_agent.models import ChatModel

__all__ = ["serve", "serve_connection", "version"]


def version() -> str:
    """Return the version of the installed package."""
    from importlib.metadata import version as installed

    return installed("punie-agent")


def serve(
    *, model: str = "test", models: Mapping[str, Callable[[], ChatModel]] | None = None
) -> int:
    """Serve one client over this process's stdin and stdout until it goes away.

    Args:
        model: the model of new sessions.
        models: further models by name, made at first use; tests and embedders use this.

    Returns:
        The process's exit code: 0 when the client closed the connection, 128 + n on signal n, 2 when
        there is no stdin or stdout to serve on.
    """
    try:
        by_hand = os.isatty(0)
        source, sink = claim()
    except OSError as error:
        print(f"punie acp: stdin and stdout must be open: {error}", file=sys.stderr)
        return 2
    if by_hand:
        print(
            "punie acp: waiting for an editor's messages on stdin; see `punie init`",
            file=sys.stderr,
        )
    code = asyncio.run(_serve_stdio(source, sink, model, models))
    sys.stderr.flush()
    # Reader and writer threads may be blocked in the kernel; nothing is left that needs them.
    os._exit(code)


async def _serve_stdio(
    source: int, sink: int, model: str, models: Mapping[str, Callable[[], ChatModel]] | None
) -> int:
    loop = asyncio.get_running_loop()
    transport = StdioTransport(source, sink)
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        transport.hang_up()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    await serve_connection(transport, model=model, models=models)
    return 128 + received[0] if received else 0


async def serve_connection(
    transport: MessageTransport,
    *,
    model: str,
    models: Mapping[str, Callable[[], ChatModel]] | None = None,
) -> None:
    """Serve one client over `transport` until it goes away."""
    handshake = Handshake(transport, version=version())
    await handshake.ready()
    await _connected(handshake, model, models)


async def _connected(
    handshake: Handshake, model: str, models: Mapping[str, Callable[[], ChatModel]] | None
) -> None:
    # The protocol SDK takes a second to import; the client has its first answer by now.
    from acp.connection import Connection

    from punie_agent.acp.agent import PunieAgent
    from punie_agent.acp.editor import Editor
    from punie_agent.acp.models import Models
    from punie_agent.acp.router import Router
    from punie_agent.acp.store import SessionStore

    agent = PunieAgent(SessionStore(), Models(model, models), handshake.afterwards)
    connection = Connection(Router(agent), handshake, listening=False)
    agent.editor = Editor(connection, handshake)
    try:
        await connection.main_loop()
    finally:
        await agent.shutdown()
        await connection.close()
