"""A local mlx-lm model, served by a process that this one starts, verifies and stops.

The server runs in its own process group and ends with this process, also when that is killed. Before
the first answer, what answers is checked to be the artefact that was asked for: the folder, the token
this process made up, and for a registered model the digest its files had when it was registered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from punie_agent.constrain import ALTERNATIVES_FIELD, REQUEST_FIELD, Alternative
from punie_agent.errors import ModelError, ModelIdentityError, ModelUnavailableError
from punie_agent.models._openai import OpenAIModel
from punie_agent.models._protocol import Message, ModelReply

if TYPE_CHECKING:
    from punie_agent.constrain import Constraint
    from punie_agent.models.registry import Artefact

__all__ = ["ModelServer", "ServedModel"]

_START_SECONDS = 600.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.1
_REPLY_TOKENS = 1024
_KEPT_LOG = 20


class ModelServer:
    """One running `mlx_lm.server` for one model folder.

    Args:
        artefact: the model.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        launcher: the command that serves a folder given as its next argument; the package's own one
            when None. It has to announce its port and answer `/punie/identity` as that one does.
    """

    def __init__(
        self,
        artefact: Artefact,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        launcher: Sequence[str] | None = None,
    ) -> None:
        self.artefact = artefact
        self._launcher = launcher
        self.url = ""
        self.identity: dict[str, Any] = {}
        self._host = host
        self._port = port
        self._token = secrets.token_hex(16)
        self._process: asyncio.subprocess.Process | None = None
        self._log: list[str] = []
        self._reading: asyncio.Future[tuple[None, None]] | None = None
        self._announced: asyncio.Future[int | None]

    @property
    def running(self) -> bool:
        """True while its process lives."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait until the right model is loaded.

        Raises:
            ModelUnavailableError: mlx-lm is not installed, or the model cannot be loaded.
            ModelIdentityError: what answers is not the model that was asked for.
        """
        command = list(self._launcher or _own_launcher())
        command += [str(self.artefact.folder), "--host", self._host, "--port", str(self._port)]
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PUNIE_SERVE_TOKEN": self._token},
            start_new_session=True,
        )
        self._announced = asyncio.get_running_loop().create_future()
        self._reading = asyncio.gather(self._read_log(), self._read_output())
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._await_port()
                await self._await_ready()
        except TimeoutError:
            await self.stop()
            raise ModelUnavailableError(
                f"{self._what} did not load in {_START_SECONDS:g} s"
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> None:
        """Wait until its process is gone."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """End the server and everything it started. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await process.wait()
                    break
        if process.stdin is not None:
            process.stdin.close()
        if self._reading is not None:
            await asyncio.wait({self._reading})

    @property
    def _what(self) -> str:
        return f"the model {self.artefact.name!r} ({self.artefact.folder})"

    async def _read_log(self) -> None:
        """Keep the last lines of its standard error, for the message when it fails."""
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._log = [*self._log[-_KEPT_LOG:], line.decode(errors="replace").rstrip()]

    async def _read_output(self) -> None:
        """Wait for the port on its standard output, and take what else comes: unread, it would stop it."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in _lines(self._process.stdout):
            port = _port(line)
            if port is not None and not self._announced.done():
                self._announced.set_result(port)
        if not self._announced.done():
            self._announced.set_result(None)

    async def _await_port(self) -> None:
        port = await asyncio.shield(self._announced)
        if port is None:
            raise await self._failed()
        self.url = f"http://{self._host}:{port}"

    async def _await_ready(self) -> None:
        import httpx2

        async with httpx2.AsyncClient(trust_env=False) as client:  # it is on this machine
            while True:
                if not self.running:
                    raise await self._failed()
                healthy, page = await _pages(client, self.url)
                if not healthy:
                    raise await self._failed()
                if page.get("ready"):
                    break
                await asyncio.sleep(_POLL_SECONDS)
        self._verify(page)

    async def _failed(self) -> ModelUnavailableError:
        process, reading = self._process, self._reading
        if process is not None and reading is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait({reading})
        said = next((line for line in reversed(self._log) if line.strip()), "it said nothing")
        return ModelUnavailableError(f"{self._what} cannot be served: {said}")

    def _verify(self, page: dict[str, Any]) -> None:
        self.identity = page
        if page.get("token") != self._token or page.get("folder") != str(self.artefact.folder):
            raise ModelIdentityError(
                f"{self.url} serves {page.get('folder')!r}, not {self.artefact.folder}; another program "
                "took the port, try again"
            )
        expected = self.artefact.registered_digest
        if expected is not None and page.get("digest") != expected:
            raise ModelIdentityError(
                f"{self._what} is not what was registered: its files have the digest {page.get('digest')}, "
                f"registered was {expected}; make it again, or register the folder again"
            )


class ServedModel:
    """A local model that is served when it is first asked and stopped with `aclose`."""

    sees_images = False
    takes_constraint = True

    def __init__(self, artefact: Artefact, *, launcher: Sequence[str] | None = None) -> None:
        self.artefact = artefact
        self.name = artefact.name
        self.context_limit = _context_limit(artefact)
        self.contract_data = artefact.contract
        self.contract_digest = artefact.contract_digest
        self.server = ModelServer(artefact, launcher=launcher)
        self._model: OpenAIModel | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start serving, unless it is being served already.

        Raises:
            ModelUnavailableError: it cannot be served.
            ModelIdentityError: another model answers.
        """
        async with self._starting:
            if self._model is not None and self.server.running:
                return
            await self.aclose()
            await self.server.start()
            self._model = OpenAIModel(
                f"{self.server.url}/v1",
                "default_model",
                temperature=0.0,
                how_to_start="its server ended; ask again to start it anew",
            )

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        constraint: Constraint | None = None,
    ) -> ModelReply:
        """Answer, starting the server if it is not running.

        Args:
            messages: see `ChatModel.reply`, as the others.
            on_text: see there.
            on_thought: see there.
            max_tokens: see there.
            constraint: what the answer is kept to, where the server knows the model's tokens.

        Raises:
            ModelError: as `OpenAIModel.reply` and `start`.
        """
        await self.start()
        assert self._model is not None
        sent: list[object] = []

        def take(event: Mapping[str, Any]) -> None:
            others = event.get(ALTERNATIVES_FIELD)
            sent.extend(others if isinstance(others, list) else ())

        reply = await self._model.reply(
            messages,
            on_text=on_text,
            on_thought=on_thought,
            max_tokens=max_tokens or _REPLY_TOKENS,
            more=None if constraint is None else {REQUEST_FIELD: constraint.to_json()},
            on_event=take,
        )
        try:
            return replace(reply, alternatives=tuple(map(Alternative.from_json, sent)))
        except ValueError as error:
            raise ModelError(f"the server of {self.name} sent something else: {error}") from None

    async def aclose(self) -> None:
        """Stop the server."""
        model, self._model = self._model, None
        if model is not None:
            await model.aclose()
        await self.server.stop()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a process, to its end; one that is longer than the reader's limit is left out."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line


def _port(line: bytes) -> int | None:
    """The port that a line announces; None for what an engine or a library prints."""
    try:
        port = json.loads(line)["port"]
    except (ValueError, KeyError, TypeError):
        return None
    return port if isinstance(port, int) else None


async def _pages(client: Any, url: str) -> tuple[bool, dict[str, Any]]:
    """Whether the server says that it is healthy, and its identity page."""
    import httpx2

    try:
        health = await client.get(f"{url}/health", timeout=30)
        page = (await client.get(f"{url}/punie/identity", timeout=30)).json()
    except (httpx2.TransportError, ValueError):
        return False, {}
    return health.status_code == 200, page if isinstance(page, dict) else {}


def _own_launcher() -> list[str]:
    import importlib.util

    if importlib.util.find_spec("mlx_lm") is None:
        raise ModelUnavailableError(
            "local models need mlx-lm, which is not installed: pip install mlx-lm, or choose another model"
        )
    # -P: the folder it starts in is the project, whose files must not stand in for modules.
    return [sys.executable, "-P", "-m", "punie_agent.models._launcher"]


def _context_limit(artefact: Artefact) -> int | None:
    try:
        config = json.loads((artefact.folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    size = config.get("max_position_embeddings") if isinstance(config, dict) else None
    return size if isinstance(size, int) and size > 0 else None
