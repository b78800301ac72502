"""A model that the make graph built, with its real weights, served to the program and to an editor.

The model is `tiny-moe`: a toy that answers nonsense. What is tested is all that lies around the answer:
which model it is, that it streams, what happens when its server is killed, and that nothing is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support import PROGRAMS

from punie_agent.acp.conformance import protocol_faults
from punie_agent.acp.testing import AgentProcess, WireError

MODEL = "tiny-moe-phase23-exact"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def model(repository: Path, run: Run) -> str:
    """The name of a registered model; it is built once for this file."""
    programs = [f"TRAIN={PROGRAMS / 'punie-train'}", "SETUP=:", "MODEL=tiny-moe", "DATA=exact"]
    run("make", "phase23-quantize", *programs, cwd=repository)
    return MODEL


@pytest.fixture
def talker(model: str, repository: Path) -> str:
    """The same model before it was trained: it goes on for as long as it may."""
    assert model
    return str(repository / "build" / "models" / "tiny-moe")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project to work in."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text('count: int = "three"\n')
    return folder


def descendants(pid: int) -> Iterator[int]:
    """Yield all processes below one."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from descendants(child)


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def servers(pid: int) -> list[int]:
    """Return the model servers below a process: those that were told a token."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            if b"PUNIE_SERVE_TOKEN=" in Path(f"/proc/{child}/environ").read_bytes():
                found.append(child)
    return found


@contextlib.asynccontextmanager
async def editor(
    environment: Mapping[str, str], project: Path, name: str
) -> AsyncGenerator[tuple[AgentProcess, str]]:
    """An editor with one session on the model; its frames are judged at the end."""
    command = [str(PROGRAMS / "punie"), "acp", "--model", name]
    async with AgentProcess.start(command, cwd=project, env=environment, patience=300) as agent:
        await agent.initialize()
        made = await agent.request("session/new", {"cwd": str(project), "mcpServers": []})
        yield agent, made["sessionId"]
    assert agent.noise == []
    assert protocol_faults(agent.frames) == []


def prompt(session: str, text: str = "Check types in app.py") -> dict[str, object]:
    """Return the parameters of a prompt."""
    return {"sessionId": session, "prompt": [{"type": "text", "text": text}]}


def test_ask_gets_an_answer_of_exactly_this_model_and_leaves_no_server(
    model: str, run: Run, project: Path
) -> None:
    done = run(
        *(PROGRAMS / "punie", "ask", "Check types in app.py", "--model", model, "--json"),
        *("--max-requests", "1"),
        cwd=project,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == model
    assert told["usage"]["output_tokens"] > 0
    assert "digest" not in done.stderr  # it was trained under the contract that it is asked with


def test_a_model_whose_files_were_changed_is_refused(
    model: str, run: Run, project: Path, environment: Mapping[str, str]
) -> None:
    entry = Path(environment["PUNIE_DATA_DIR"], "models", f"{model}.json")
    weights = next(Path(json.loads(entry.read_text())["path"]).glob("*.safetensors"))
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        done = run(PROGRAMS / "punie", "ask", "Hi", "--model", model, cwd=project, check=False)
    finally:
        weights.write_bytes(sound)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("punie: ")
    assert done.stderr.count("\n") == 1


async def first_words(agent: AgentProcess) -> int:
    """Wait until the model speaks; returns its server's process."""
    await agent.until(lambda a: a.updates("agent_message_chunk"))
    (server,) = servers(agent.process.pid)
    return server


def test_an_editor_sees_the_answer_stream_and_the_server_ends_with_the_agent(
    talker: str, project: Path, environment: Mapping[str, str]
) -> None:
    async def check() -> None:
        async with editor(environment, project, talker) as (agent, session):
            turn = agent.begin("session/prompt", prompt(session))
            server = await first_words(agent)
            assert not turn.done()
            agent.notify("session/cancel", {"sessionId": session})
            assert await asyncio.wait_for(turn, 120) == {"stopReason": "cancelled"}
            assert agent.process.stdin is not None
            agent.process.stdin.close()
            assert await agent.wait_exit() == 0
        assert not alive(server)

    asyncio.run(check())


def test_a_server_killed_in_the_middle_of_an_answer_costs_that_turn_and_comes_back(
    talker: str, project: Path, environment: Mapping[str, str]
) -> None:
    async def check() -> None:
        async with editor(environment, project, talker) as (agent, session):
            turn = agent.begin("session/prompt", prompt(session))
            server = await first_words(agent)
            os.kill(server, signal.SIGKILL)
            with pytest.raises(WireError) as caught:
                await asyncio.wait_for(turn, 120)
            assert "http://127.0.0.1:" in caught.value.message
            assert "\n" not in caught.value.message
            before = len(agent.updates("agent_message_chunk"))
            again = agent.begin("session/prompt", prompt(session))
            await agent.until(
                lambda a: again.done() or len(a.updates("agent_message_chunk")) > before
            )
            assert not again.done(), await again
            assert servers(agent.process.pid) != [server]
            agent.notify("session/cancel", {"sessionId": session})
            await asyncio.wait_for(again, 120)

    asyncio.run(check())


def test_a_killed_agent_takes_the_server_with_it(
    talker: str, project: Path, environment: Mapping[str, str]
) -> None:
    async def check() -> None:
        async with editor(environment, project, talker) as (agent, session):
            agent.begin("session/prompt", prompt(session))
            server = await first_words(agent)
            agent.process.send_signal(signal.SIGKILL)
            await agent.wait_exit()
            async with asyncio.timeout(60):
                while alive(server):
                    await asyncio.to_thread(os.sched_yield)

    asyncio.run(check())
