"""A real `punie acp` process for each test, and the verdict on every frame it exchanged."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import sys
import textwrap
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from punie_agent.acp.conformance import protocol_faults, schema_faults
from punie_agent.acp.testing import AgentProcess

SCHEMA = json.loads((Path(__file__).parents[1] / "data/acp/schema.json").read_text())
UNCHECKED = {"session/fork"}  # not in the stable schema


SHARED = """
import asyncio, json, os
from pathlib import Path
from punie_agent.acp import serve
from punie_agent.models import ModelReply, Usage

class FromFile:
    "Follows the script in a file, which every test replaces."
    name = "scripted"
    said = {}

    @property
    def context_limit(self):
        return self.script()["options"].get("context_limit")

    def script(self):
        return json.loads(Path(os.environ["SCRIPT"]).read_text())

    async def reply(self, messages, *, on_text=None, on_thought=None, max_tokens=None):
        script = self.script()
        number = self.said[script["id"]] = self.said.get(script["id"], -1) + 1
        lines, options = script["lines"], script["options"]
        text = lines[number % len(lines)] if options.get("repeat") else lines[number]
        await asyncio.sleep(options.get("latency", 0))
        for start in range(0, len(text), 16):
            on_text(text[start:start + 16])
        return ModelReply(text, Usage(100, 10, 1))

serve(model="scripted", models={"scripted": FromFile})
"""


class Bench:
    """Starts agents that share one data directory, in one project.

    `scripted` and `launcher` make commands for processes of their own; `shared` gives the script to the
    one process that all tests of a module share, which saves a second each.
    """

    _ids = itertools.count()

    def __init__(self, folder: Path, common: AgentProcess, script: Path) -> None:
        self.project = folder / "project"
        self.data = folder / "data"
        self.project.mkdir()
        self._folder = folder
        self._scripts = 0
        self._common = common
        self._script = script

    @property
    def env(self) -> dict[str, str]:
        """The environment of every agent."""
        return {**os.environ, "PUNIE_DATA_DIR": str(self.data)}

    def launcher(self, source: str) -> list[str]:
        """A command that serves with what `source` defines: a function `make()` of a model."""
        self._scripts += 1
        path = self._folder / f"agent{self._scripts}.py"
        tail = "from punie_agent.acp import serve\nserve(model='scripted', models={'scripted': make})\n"
        path.write_text(textwrap.dedent(source) + "\n" + tail)
        return [sys.executable, str(path)]

    def scripted(self, *lines: str, **options: object) -> list[str]:
        """A command that serves a model which gives these answers in turn."""
        return self.launcher(
            "from punie_agent.testing import ScriptedModel\n"
            f"def make():\n    return ScriptedModel({list(lines)!r}, **{options!r})"
        )

    def shared(self, *lines: str, **options: object) -> AgentProcess:
        """The module's own process, with a model that gives these answers in turn."""
        script = {"id": str(next(self._ids)), "lines": lines, "options": options}
        self._script.write_text(json.dumps(script))
        return self._common

    @staticmethod
    def leave_unanswered(agent: AgentProcess) -> asyncio.Event:
        """Never answer the agent's questions for permission; the event is set when it has asked."""
        asked = asyncio.Event()

        async def never(_: object) -> object:
            asked.set()
            return await asyncio.Future()

        agent.on["session/request_permission"] = never
        return asked

    @asynccontextmanager
    async def _again(self, agent: AgentProcess, *, check: bool, **capabilities: object):
        agent.frames.clear()
        agent.on.clear()
        await agent.initialize(**capabilities)
        yield agent
        for answer in [
            f["result"] for _, f in agent.frames if "sessionId" in (f.get("result") or {})
        ]:
            await agent.request("session/delete", {"sessionId": answer["sessionId"]})
        if check:
            self._judge(agent)

    @asynccontextmanager
    async def agent(self, command=None, *, env=None, check=True, initialize=True, **capabilities):
        """Start an agent; on leaving, judge every frame that was exchanged."""
        if isinstance(command, AgentProcess):
            async with self._again(command, check=check, **capabilities) as agent:
                yield agent
            return
        command = command or [sys.executable, "-m", "punie_agent.acp"]
        async with AgentProcess.start(
            command, cwd=self.project, env={**self.env, **(env or {})}
        ) as agent:
            if initialize:
                await agent.initialize(**capabilities)
            yield agent
        if check:
            self._judge(agent)

    def _judge(self, agent: AgentProcess) -> None:
        assert agent.noise == []
        assert protocol_faults(agent.frames) == []
        assert schema_faults(agent.frames, SCHEMA, unchecked=UNCHECKED) == []

    async def session(self, agent: AgentProcess, **params: object) -> str:
        """Open a new session in the project; returns its id."""
        given = {"cwd": str(self.project), "mcpServers": [], **params}
        return (await agent.request("session/new", given))["sessionId"]

    async def say(self, agent: AgentProcess, session: str, text: str) -> str:
        """Run one turn; returns its stop reason."""
        return (await agent.request("session/prompt", self.prompt(session, text)))["stopReason"]

    def prompt(self, session: str, text: str) -> dict[str, object]:
        """Return the parameters of a prompt."""
        return {"sessionId": session, "prompt": [{"type": "text", "text": text}]}


def choose(option: str):
    """An answer to every permission request."""
    return lambda _: {"outcome": {"outcome": "selected", "optionId": option}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def common(tmp_path_factory):
    """One agent process for all tests of a module, and the file its model's script is in."""
    folder = tmp_path_factory.mktemp("common")
    program, script = folder / "agent.py", folder / "script.json"
    program.write_text(SHARED)
    env = {**os.environ, "PUNIE_DATA_DIR": str(folder / "data"), "SCRIPT": str(script)}
    async with AgentProcess.start([sys.executable, str(program)], env=env) as agent:
        yield agent, script


@pytest_asyncio.fixture(loop_scope="module")
async def bench(tmp_path: Path, common) -> Bench:
    """Where a test starts its agents."""
    return Bench(tmp_path, *common)


@pytest.fixture
def chosen():
    """An answer to every permission request, by the option's id."""
    return choose


def pytest_collection_modifyitems(items):
    """Every test here runs in its module's loop, where the shared agent lives."""
    for item in items:
        here = Path(item.fspath).parent == Path(__file__).parent
        if here and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
