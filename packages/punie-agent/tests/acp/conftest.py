"""A real `punie acp` process for each test, and the verdict on every frame it exchanged."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from punie_agent.acp.conformance import protocol_faults, schema_faults
from punie_agent.acp.testing import AgentProcess

SCHEMA = json.loads((Path(__file__).parents[1] / "data/acp/schema.json").read_text())
UNCHECKED = {"session/fork"}  # not in the stable schema


class Bench:
    """Starts agents that share one data directory, in one project."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.data = folder / "data"
        self.project.mkdir()
        self._folder = folder
        self._scripts = 0

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

    @asynccontextmanager
    async def agent(self, command=None, *, env=None, check=True, initialize=True, **capabilities):
        """Start an agent; on leaving, judge every frame that was exchanged."""
        command = command or [sys.executable, "-m", "punie_agent.acp"]
        async with AgentProcess.start(
            command, cwd=self.project, env={**self.env, **(env or {})}
        ) as agent:
            if initialize:
                await agent.initialize(**capabilities)
            yield agent
        if check:
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


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def chosen():
    return choose
