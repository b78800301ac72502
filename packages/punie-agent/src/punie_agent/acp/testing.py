"""Drive an ACP agent process over stdio, frame by frame: for tests of Punie and of your own agent.

    async with AgentProcess.start(["punie", "acp"]) as agent:
        await agent.initialize()
        session = await agent.request("session/new", {"cwd": "/tmp", "mcpServers": []})

Every frame in either direction is kept in `frames`. Requests of the agent are answered by
`on[method]`; a method that is not there is answered with -32601, as a client without that
capability would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["AgentGoneError", "AgentProcess", "WireError"]

Answer = Callable[[dict[str, Any]], Any | Awaitable[Any]]
_LIMIT = 256 * 1024 * 1024


class WireError(Exception):
    """The agent answered a request with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')} {error.get('data')}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class AgentGoneError(Exception):
    """The agent's output ended while an answer was still due."""


class AgentProcess:
    """A running agent and what was said to and by it."""

    def __init__(self, process: asyncio.subprocess.Process, patience: float) -> None:
        self.process = process
        self.frames: list[tuple[str, dict[str, Any]]] = []
        self.noise: list[bytes] = []
        self.stderr = b""
        self.on: dict[str, Answer] = {}
        self._patience = patience
        self._next_id = 0
        self._pending: dict[Any, asyncio.Future[Any]] = {}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended = False

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        patience: float = 120.0,
    ) -> AsyncGenerator[AgentProcess]:
        """Start `argv` and stop it on leaving; `patience` bounds every wait, in seconds."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else dict(env),
            limit=_LIMIT,
            start_new_session=True,
        )
        agent = cls(process, patience)
        readers = [asyncio.create_task(agent._read()), asyncio.create_task(agent._read_stderr())]
        try:
            yield agent
        finally:
            await agent._stop(readers)

    async def initialize(self, **capabilities: Any) -> dict[str, Any]:
        """Introduce a client with these `clientCapabilities`."""
        info = {"name": "punie-testing", "version": "1"}
        params = {"protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": info}
        return await self.request("initialize", params)

    async def request(self, method: str, params: Any = None) -> Any:
        """Send a request and return its result.

        Raises:
            WireError: The agent answered with an error.
            AgentGoneError: It ended without answering.
        """
        return await asyncio.wait_for(self.begin(method, params), self._patience)

    def begin(self, method: str, params: Any = None) -> asyncio.Future[Any]:
        """Send a request without waiting; await the returned future for its result."""
        self._next_id += 1
        future = asyncio.get_running_loop().create_future()
        self._pending[self._next_id] = future
        self.send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params or {}})
        return future

    @property
    def last_id(self) -> int:
        """The id of the request sent last."""
        return self._next_id

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, frame: dict[str, Any]) -> None:
        """Send a frame as it is."""
        self.frames.append(("client", frame))
        self.send_bytes(json.dumps(frame).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self.process.stdin is not None:
            self.process.stdin.write(data)

    def updates(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the `session/update`s received so far, all or those of one kind."""
        found = [f["params"]["update"] for f in self.received("session/update")]
        return [u for u in found if kind in (None, u["sessionUpdate"])]

    def received(self, method: str) -> list[dict[str, Any]]:
        """Return the requests and notifications of that method which the agent sent."""
        return [f for side, f in self.frames if side == "agent" and f.get("method") == method]

    def said(self) -> str:
        """Return the text of all agent message chunks together."""
        return "".join(u["content"].get("text", "") for u in self.updates("agent_message_chunk"))

    async def until(self, condition: Callable[[AgentProcess], Any]) -> Any:
        """Wait until `condition(self)` is true and return its value; it is tried at each frame."""

        async def watch() -> Any:
            async with self._changed:
                while not (value := condition(self)):
                    if self._ended:
                        raise AgentGoneError(self._last_words())
                    await self._changed.wait()
                return value

        return await asyncio.wait_for(watch(), self._patience)

    async def wait_exit(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        return await asyncio.wait_for(self.process.wait(), self._patience)

    def _last_words(self) -> str:
        return f"the agent ended; its stderr: {self.stderr[-3000:].decode(errors='replace')}"

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            try:
                frame = json.loads(line)
            except ValueError:
                frame = None
            if not isinstance(frame, dict):
                self.noise.append(line)
                continue
            self.frames.append(("agent", frame))
            self._dispatch(frame)
            async with self._changed:
                self._changed.notify_all()
        self._ended = True
        for future in self._pending.values():
            if not future.done():
                future.set_exception(AgentGoneError(self._last_words()))
        async with self._changed:
            self._changed.notify_all()

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(65536):
            self.stderr += chunk

    def _dispatch(self, frame: dict[str, Any]) -> None:
        if "method" in frame:
            if "id" in frame:
                task = asyncio.create_task(self._answer(frame))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        future = self._pending.pop(frame.get("id"), None)
        if future is None or future.done():
            return
        if "error" in frame:
            future.set_exception(WireError(frame["error"]))
        else:
            future.set_result(frame.get("result"))

    async def _answer(self, frame: dict[str, Any]) -> None:
        answer = self.on.get(frame["method"])
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": frame["id"]}
        if answer is None:
            reply["error"] = {"code": -32601, "message": f"no {frame['method']}"}
        else:
            try:
                result = answer(frame["params"])
                reply["result"] = await result if isinstance(result, Awaitable) else result
            except WireError as error:
                reply["error"] = {"code": error.code, "message": error.message}
            except Exception as error:  # noqa: BLE001 - a handler's failure is the client's answer
                reply["error"] = {"code": -32603, "message": f"{type(error).__name__}: {error}"}
        self.send(reply)

    async def _stop(self, readers: list[asyncio.Task[None]]) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), 10)
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        for task in [*readers, *self._tasks]:
            task.cancel()
        await asyncio.gather(*readers, *self._tasks, return_exceptions=True)
        for future in self._pending.values():
            future.cancel()
