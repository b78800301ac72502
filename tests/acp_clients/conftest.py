"""Punie with real clients that nobody here wrote, and the verdict on every frame they exchange."""

from __future__ import annotations

import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from punie_agent.acp.conformance import protocol_faults, schema_faults

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("acp_clients_install", HERE / "install.py")
assert _spec is not None
assert _spec.loader is not None
_install = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _install
_spec.loader.exec_module(_install)


@pytest.fixture(scope="session")
def clients():
    """The clients from npm, installed once."""
    return _install.install()


class Stage:
    """A project, an agent whose every frame is kept, and the clients to drive it."""

    def __init__(self, clients, folder: Path) -> None:
        self.clients = clients
        self.project = folder / "project"
        self.home = folder / "home"
        self.log = folder / "frames.jsonl"
        self.folder = folder
        self.project.mkdir()
        self.home.mkdir()
        self.environment = clients.environment(self.home) | {
            "PUNIE_DATA_DIR": str(folder / "data"),
            "HF_HUB_OFFLINE": "1",
        }

    def agent(self, source: str = "serve()") -> list[str]:
        """A command that runs `source`, which may call `serve` and `ScriptedModel`."""
        script = self.folder / "agent.py"
        script.write_text(
            "from punie_agent.acp import serve\nfrom punie_agent.testing import ScriptedModel\n"
            + source
        )
        return [sys.executable, str(HERE / "tee.py"), str(self.log), sys.executable, str(script)]

    def scripted(self, *lines: str, **options: object) -> list[str]:
        """A command that serves a model which gives these answers in turn."""
        return self.agent(
            f"def make(): return ScriptedModel({list(lines)!r}, **{options!r})\n"
            "serve(model='scripted', models={'scripted': make})"
        )

    def acpx(self, agent: list[str], *arguments: str, code: int = 0) -> str:
        """Run acpx on an agent; returns what it printed."""
        command = self.clients.acpx("--agent", shlex.join(agent), *arguments)
        done = self._run(command)
        while (
            "Queue owner is shutting down" in done.stderr
        ):  # acpx's own race between two of its commands
            done = self._run(command)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def typescript(self, agent: list[str], **script: object) -> dict:
        """Run the TypeScript client's script on an agent; returns what it saw."""
        path = self.folder / "script.json"
        path.write_text(json.dumps(script))
        client = self.clients.folder / "client.ts"
        done = self._run([str(self.clients.node), str(client), str(path), "--", *agent])
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def conversations(self) -> list[list[tuple[str, dict]]]:
        """Every frame so far, process by process."""
        logs = sorted(self.folder.glob(f"{self.log.name}.*"))
        kept = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
        return [[(each["side"], json.loads(each["line"])) for each in lines] for lines in kept]

    def frames(self) -> list[tuple[str, dict]]:
        """Every frame so far, of all processes."""
        return [frame for frames in self.conversations() for frame in frames]

    def judge(self) -> None:
        """Validate every frame of every process."""
        schema = json.loads(self.clients.schema.read_text())
        for frames in self.conversations():
            assert protocol_faults(frames) == []
            assert schema_faults(frames, schema) == []

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def stage(clients, tmp_path):
    """A stage for one test; at its end every frame is judged."""
    made = Stage(clients, tmp_path)
    yield made
    made.judge()
