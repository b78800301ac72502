"""How fast and how lean Punie is in an editor, beside the protocol SDK's own echo agent and its peers.

Each pair is measured in one run, turn and turn about, as whole processes over stdio. The peers live in
virtual environments of their own under `build/peers` (they pin exact versions of shared dependencies),
made with `uv` at the first run; a peer that cannot be installed is named and left out.

    python bench_acp.py --json OUT [--runs N] [--peers DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.server
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from punie_agent.acp.testing import AgentProcess

ECHO = """
import asyncio
from acp import Agent, InitializeResponse, NewSessionResponse, PromptResponse, run_agent
from acp import text_block, update_agent_message

class Echo(Agent):
    def on_connect(self, conn):
        self.conn = conn
    async def initialize(self, protocol_version, **rest):
        return InitializeResponse(protocol_version=protocol_version)
    async def new_session(self, cwd, **rest):
        return NewSessionResponse(session_id="s")
    async def prompt(self, session_id, prompt, **rest):
        await self.conn.session_update(session_id, update_agent_message(text_block("echo")))
        return PromptResponse(stop_reason="end_turn")

asyncio.run(run_agent(Echo()))
"""
HARNESS = """
import warnings
warnings.simplefilter("ignore")
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
from pydantic_ai_harness.experimental.acp import PydanticAIACPAgent, run_acp_stdio_sync

async def answer(messages, info):
    yield "echo"

run_acp_stdio_sync(Agent(FunctionModel(stream_function=answer)))
"""
PUNIE = """
from punie_agent.acp import serve
from punie_agent.models import ModelReply
from punie_agent.testing import ScriptedModel

class Instant:
    "Answers at once and remembers nothing."
    name = "instant"
    context_limit = None

    async def reply(self, messages, *, on_text=None, on_thought=None, max_tokens=None):
        on_text("echo")
        return ModelReply("echo")

def one_call():
    return ScriptedModel(["```python\\nprint(read_file('a.txt'))\\n```", "Read."], repeat=True)

TOOLS = ["read_file('a.txt')", "read_file('b.txt')", "read_file('c.txt')"]

def together():
    code = "\\n".join(f"print({tool})" for tool in TOOLS)
    return ScriptedModel([f"```python\\n{code}\\n```", "Read."], latency=0.25, repeat=True)

def apart():
    calls = [f"```python\\nprint({tool})\\n```" for tool in TOOLS]
    return ScriptedModel([*calls, "Read."], latency=0.25, repeat=True)

serve(model="MODEL", models={"instant": Instant, "one_call": one_call, "together": together, "apart": apart})
"""
VIBE = """
active_model = "fake"
enable_telemetry = false
enable_update_checks = false

[[providers]]
name = "fake"
api_base = "http://127.0.0.1:PORT/v1"
api_key_env_var = ""
api_style = "openai"
backend = "generic"

[[models]]
name = "fake"
provider = "fake"
alias = "fake"
"""


def main() -> int:
    """Measure, print, write the rows; the exit code is 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(Bench(Path(folder), options.runs, options.peers.absolute()).all())
    for row in rows:
        print(
            f"{'ok ' if row['ok'] else 'OUT'} {row['name']:58} {row['measured']:9.3f} "
            f"{row['peer']:9.3f} ratio {row['ratio']:6.3f} bound {row['bound']}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0 if all(row["ok"] for row in rows) else 1


class Bench:
    """One run of everything."""

    def __init__(self, folder: Path, runs: int, peers: Path) -> None:
        self._folder = folder
        self._runs = runs
        self._peers = peers
        self._env = {**os.environ, "PUNIE_DATA_DIR": str(folder / "data"), "HOME": str(folder)}
        self._rows: list[dict[str, Any]] = []
        self._versions = {
            "python": platform.python_version(),
            "punie-agent": version("punie-agent"),
            "agent-client-protocol": version("agent-client-protocol"),
        }
        for name in "abc":
            (folder / f"{name}.txt").write_text(name)

    async def all(self) -> list[dict[str, Any]]:
        """Run every measurement."""
        punie, echo = self._punie("instant"), self._script("echo", ECHO)
        cli = [str(Path(sys.executable).parent / "punie"), "acp"]
        await self._pair(
            "initialize, beside the SDK's echo agent (s)", cli, echo, "initialize", 1.15
        )
        if (harness := self._peer("pydantic-ai-harness", "3.11")) is not None:
            command = [str(harness), str(self._file("harness.py", HARNESS))]
            await self._pair(
                "first answer, beside pydantic-ai-harness (s)", punie, command, "prompt", 0.6
            )
            await self._memory("idle memory, beside pydantic-ai-harness (MB)", punie, command)
        if (vibe := self._peer("mistral-vibe==2.18.4", "3.12")) is not None:
            with _openai_server() as port, self._vibe_home(port):
                command = [str(vibe.parent / "vibe-acp")]
                await self._pair(
                    "first answer, beside mistral-vibe 2.18 (s)", punie, command, "prompt", 0.6
                )
        await self._turns("a turn with an instant model, median (ms, bound in ms)", "instant", 10.0)
        await self._turns("a turn with one code call and one tool, median (ms)", "one_call", 250.0)
        await self._long_session()
        await self._one_round_trip()
        return self._rows

    def _row(
        self, name: str, measured: float, peer: float, bound: float, *, ratio: float | None = None
    ) -> None:
        value = measured / peer if ratio is None else ratio
        self._rows.append(
            {
                "name": name,
                "measured": measured,
                "peer": peer,
                "ratio": value,
                "bound": bound,
                "ok": value <= bound,
                "versions": dict(self._versions),
            }
        )

    async def _pair(
        self, name: str, ours: list[str], theirs: list[str], until: str, bound: float
    ) -> None:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(self._runs):
            for command, found in zip((ours, theirs), times, strict=True):
                found.append(await self._start(command, until))
        # The least of each: on a busy machine everything else in a wall time is the neighbours'.
        self._row(name, min(times[0]), min(times[1]), bound)

    async def _start(self, command: list[str], until: str) -> float:
        began = time.perf_counter()
        async with AgentProcess.start(command, cwd=self._folder, env=self._env) as agent:
            await agent.initialize()
            if until == "prompt":
                await self._turn(agent, await self._session(agent))
            return time.perf_counter() - began

    async def _memory(self, name: str, ours: list[str], theirs: list[str]) -> None:
        found = []
        for command in (ours, theirs):
            async with self._talking(command) as (agent, session):
                await self._turn(agent, session)
                found.append(_memory_of(agent.process.pid) / 1e6)
        self._row(name, found[0], found[1], 1.0)

    async def _turns(self, name: str, model: str, bound: float) -> None:
        async with self._talking(self._punie(model)) as (agent, session):
            times = [await self._timed_turn(agent, session) * 1000 for _ in range(60)]
        median = statistics.median(times[10:])
        self._row(name, median, bound, bound, ratio=median)

    async def _long_session(self) -> None:
        async with self._talking(self._punie("instant")) as (agent, session):
            times, memory = [], []
            for number in range(1000):
                times.append(await self._timed_turn(agent, session))
                if number in {199, 999}:
                    memory.append(_memory_of(agent.process.pid))
                agent.frames.clear()
        early, late = statistics.median(times[50:250]), statistics.median(times[750:])
        self._row(
            "1000-turn session: late turns beside early ones (ms)", late * 1e3, early * 1e3, 2.0
        )
        self._row(
            "1000-turn session: memory at turn 1000 beside 200 (MB)",
            memory[1] / 1e6,
            memory[0] / 1e6,
            1.05,
        )

    async def _one_round_trip(self) -> None:
        found = []
        for model in ("together", "apart"):
            async with self._talking(self._punie(model)) as (agent, session):
                times = [await self._timed_turn(agent, session) for _ in range(4)]
                found.append(min(times[1:]))
        self._row(
            "three tools in one code call, beside one call a turn (s)", found[0], found[1], 0.65
        )

    @asynccontextmanager
    async def _talking(self, command: list[str]) -> AsyncGenerator[tuple[AgentProcess, str]]:
        async with AgentProcess.start(command, cwd=self._folder, env=self._env) as agent:
            await agent.initialize()
            yield agent, await self._session(agent)

    async def _session(self, agent: AgentProcess) -> str:
        answer = await agent.request("session/new", {"cwd": str(self._folder), "mcpServers": []})
        return answer["sessionId"]

    async def _turn(self, agent: AgentProcess, session: str) -> None:
        blocks = [{"type": "text", "text": "hello"}]
        answer = await agent.request("session/prompt", {"sessionId": session, "prompt": blocks})
        assert answer["stopReason"] == "end_turn", answer

    async def _timed_turn(self, agent: AgentProcess, session: str) -> float:
        began = time.perf_counter()
        await self._turn(agent, session)
        return time.perf_counter() - began

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path

    def _script(self, name: str, text: str) -> list[str]:
        return [sys.executable, str(self._file(f"{name}.py", text))]

    def _punie(self, model: str) -> list[str]:
        return self._script(f"punie_{model}", PUNIE.replace("MODEL", model))

    def _peer(self, package: str, python: str) -> Path | None:
        """Return the Python of an environment with the package, made if need be."""
        name = package.partition("==")[0]
        folder = self._peers / name
        program = folder / "bin" / "python"
        if not (folder / "ready").exists():
            uv = shutil.which("uv")
            if uv is None or not self._install(uv, package, python, folder):
                print(f"LEFT OUT: {package} cannot be installed here", file=sys.stderr)
                return None
            (folder / "ready").touch()
        code = f"from importlib.metadata import version; print(version({name!r}))"
        shown = subprocess.run([program, "-c", code], capture_output=True, text=True, check=True)
        self._versions[name] = shown.stdout.strip()
        return program

    def _install(self, uv: str, package: str, python: str, folder: Path) -> bool:
        made = [uv, "venv", "-q", "--clear", "-p", python, str(folder)]
        filled = [uv, "pip", "install", "-q", "-p", str(folder), package, "agent-client-protocol"]
        return all(subprocess.run(each, check=False).returncode == 0 for each in (made, filled))

    @contextmanager
    def _vibe_home(self, port: int) -> Generator[None]:
        home = self._folder / "vibe"
        home.mkdir()
        (home / "config.toml").write_text(VIBE.replace("PORT", str(port)))
        self._env |= {"VIBE_HOME": str(home)}
        yield


class _Completion(http.server.BaseHTTPRequestHandler):
    """Answers any chat completion with one word, streamed."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
        for delta, finish in (({"role": "assistant", "content": "echo"}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            event = json.dumps({**head, "choices": [choice], "usage": usage})
            self.wfile.write(f"data: {event}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def _openai_server() -> Generator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Completion)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def _memory_of(pid: int) -> int:
    """Return the bytes of a process and its descendants, shared pages counted in proportion."""
    total = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        total += sum(_memory_of(int(child)) for child in task.read_text().split())
    return total


if __name__ == "__main__":
    sys.exit(main())
