"""`punie serve`: the server for editors over WebSocket, on the loopback, with a token."""

from __future__ import annotations

import argparse

from punie_agent.acp.websocket import serve_websocket
from punie_agent.models import default_name

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Serve until it is interrupted; returns the exit code."""
    return serve_websocket(
        host=options.host, port=options.port, model=options.model or default_name()
    )
