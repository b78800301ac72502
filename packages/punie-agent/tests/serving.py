"""A model server for tests: real HTTP on the loopback, with an answer of the test's choice.

Run as a program it is a launcher for `ModelServer`: `serving.py BEHAVIOUR FOLDER …`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from punie_agent.models.registry import files_digest

__all__ = ["ChatServer", "chat_server", "delta"]


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event of a stream of chat completions."""
    return {"choices": [{"delta": {"content": content, **more}, "finish_reason": finish}]}


class ChatServer:
    """What the server answers, the script's answers first, and what it was asked."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = [{"id": "tiny", "context_length": 4096}]
        self.events: Sequence[dict[str, Any] | str] = [
            delta("Hello", None),
            delta(" there.", "stop"),
        ]
        self.script: list[Sequence[dict[str, Any] | str]] = []
        self.status = 200
        self.error = b""
        self.refuses_pages = False
        self.hang_up = False
        self.bodies: list[dict[str, Any]] = []
        self.pages: dict[str, Any] = {}
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path = request.split()[:2]
        length = next(
            (
                int(line.split(":")[1])
                for line in request.split("\r\n")
                if "content-length:" in line.lower()
            ),
            0,
        )
        body = await reader.readexactly(length)
        if method == "POST":
            self.bodies.append(json.loads(body))
            await self._chat(writer)
        else:
            page = self.pages.get(path, {"data": self.models} if path.endswith("/models") else {})
            status, text = (
                (self.status, self.error)
                if self.refuses_pages
                else (200, json.dumps(page).encode())
            )
            await self._send(writer, status, text)
        writer.close()

    async def _chat(self, writer: asyncio.StreamWriter) -> None:
        if self.status != 200:
            await self._send(writer, self.status, self.error)
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )
        for event in self.script.pop(0) if self.script else self.events:
            line = event if isinstance(event, str) else f"data: {json.dumps(event)}"
            writer.write(f"{line}\n\n".encode())
            await writer.drain()
        if self.hang_up:
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


@asynccontextmanager
async def chat_server() -> AsyncGenerator[ChatServer]:
    """A running server."""
    server = ChatServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()


async def _launch(behaviour: str, folder: Path) -> None:
    if behaviour == "fails":
        print("ValueError: this model is broken", file=sys.stderr)
        raise SystemExit(1)
    if behaviour == "talks":
        print("engine: 2 threads")
    async with chat_server() as server:
        server.pages["/health"] = {"status": "ok"}
        server.pages["/punie/identity"] = {
            "ready": True,
            "folder": "/another/model" if behaviour == "other" else str(folder),
            "digest": files_digest(folder),
            "token": os.environ["PUNIE_SERVE_TOKEN"],
            "pid": os.getpid(),
        }
        print(json.dumps({"port": int(server.url.split(":")[2].split("/")[0])}), flush=True)
        if behaviour == "talks":  # more than a pipe holds, and longer than a reader takes
            for stream in (sys.stdout, sys.stderr):
                print("." * 300_000, end="", file=stream, flush=True)
        if behaviour == "dies":
            server.events = [delta("Hel", None)]
            server.hang_up = True
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_launch(sys.argv[1], Path(sys.argv[2])))
