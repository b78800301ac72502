"""acpx, a headless client from npm, drives Punie as its users would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

WRITE = "```python\nwrite_file('made.txt', 'by punie')\n```"


def _said(output: str) -> str:
    frames = [json.loads(line) for line in output.splitlines()]
    updates = [f["params"]["update"] for f in frames if f.get("method") == "session/update"]
    return "".join(
        u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk"
    )


def test_approve_all_writes_the_file(stage):
    output = stage.acpx(stage.agent(), "--approve-all", "exec", "Write by punie to made.txt")
    assert (stage.project / "made.txt").read_text() == "by punie"
    assert "[done] end_turn" in output


def test_deny_all_writes_nothing_and_ends_the_turn_well(stage):
    output = stage.acpx(stage.agent(), "--deny-all", "exec", "Write by punie to made.txt", code=5)
    assert not (stage.project / "made.txt").exists()
    assert "PermissionError: the user said no" in output
    assert "[done] end_turn" in output


def test_a_claim_after_code_that_never_ran_is_put_right_beside_it(stage):
    agent = stage.scripted("```python\nprint(nope)\n```", "There are no errors.")
    output = stage.acpx(agent, "--deny-all", "exec", "Check it")
    assert "There are no errors." in output
    assert "Punie:** Nothing was run: the code failed its check." in output


def test_a_type_check_shows_the_real_finding(stage):
    (stage.project / "a.py").write_text('x: int = "s"\n')
    output = stage.acpx(stage.agent(), "--deny-all", "exec", "Check types in a.py")
    assert 'Object of type `Literal["s"]` is not assignable to `int`' in output


def test_without_files_and_terminals_everything_runs_locally(stage):
    agent = stage.scripted(
        "```python\nwrite_file('a', 'x')\nprint(run_command('cat a'))\n```", "Done."
    )
    stage.acpx(agent, "--no-fs", "--no-terminal", "--approve-all", "exec", "go")
    assert (stage.project / "a").read_text() == "x"
    methods = {frame.get("method", "") for _, frame in stage.frames()}
    assert not {m for m in methods if m.startswith(("fs/", "terminal/"))}


def test_commands_run_in_acpxs_terminal(stage):
    agent = stage.scripted("```python\nprint(run_command('echo from the terminal'))\n```", "Done.")
    output = stage.acpx(agent, "--approve-all", "exec", "go")
    assert "from the terminal" in output
    methods = [
        frame["method"] for side, frame in stage.frames() if side == "agent" and "method" in frame
    ]
    assert [m for m in methods if m.startswith("terminal/")] == [
        "terminal/create",
        "terminal/wait_for_exit",
        "terminal/output",
        "terminal/release",
    ]


def test_a_session_goes_on_in_fresh_processes(stage):
    source = """
def make():
    return ScriptedModel([lambda seen: f"{sum(m.role == 'user' for m in seen)} so far"])
serve(model='scripted', models={'scripted': make})
"""
    agent = stage.agent(source)
    stage.acpx(agent, "--ttl", "1", "sessions", "new")
    first = stage.acpx(agent, "--ttl", "1", "--format", "json", "prompt", "one")
    assert _said(first).endswith("1 so far")
    stage.acpx(agent, "set-mode", "plan")
    stage.acpx(agent, "set", "mode", "auto")
    listed = stage.acpx(agent, "--format", "json", "sessions", "list")
    assert "one" in listed
    stage.acpx(agent, "sessions", "close")
    starts = [frame for _, frame in stage.frames() if frame.get("method") == "initialize"]
    assert len(starts) > 1


def test_a_model_that_is_down_is_told_in_one_sentence(stage):
    source = """
from punie_agent.errors import ModelUnavailableError
def make():
    return ScriptedModel([ModelUnavailableError('nothing answers at URL: start it with X')])
serve(model='scripted', models={'scripted': make})
"""
    command = stage.clients.acpx("--agent", " ".join(stage.agent(source)), "exec", "hello")
    done = stage._run(command)
    assert done.returncode != 0
    assert "nothing answers at URL: start it with X" in done.stdout + done.stderr


SERVER = """
from pydantic import BaseModel
from mcp.server import MCPServer

server = MCPServer("sums")

class Sum(BaseModel):
    total: int

@server.tool()
def add(numbers: list[int]) -> Sum:
    "Add numbers."
    return Sum(total=sum(numbers))

server.run("stdio")
"""


def test_a_server_from_acpxs_mcp_config_is_a_typed_function(stage):
    server = stage.folder / "server.py"
    server.write_text(SERVER)
    config = stage.folder / "mcp.json"
    entry = {"name": "sums", "command": sys.executable, "args": [str(server)]}
    config.write_text(json.dumps({"mcpServers": [entry]}))
    agent = stage.scripted("```python\nprint('total', sums_add([1, 2, 3]).total)\n```", "Six.")
    output = stage.acpx(agent, "--approve-all", "--mcp-config", str(config), "exec", "add")
    assert "total 6" in output


def test_acpx_cancels_a_command_in_the_middle(stage):
    (stage.project / "job.sh").write_text("touch started\nsleep 600\n")
    agent = stage.scripted("```python\nrun_command('sh job.sh')\n```", "Done.")
    stage.acpx(agent, "--ttl", "5", "sessions", "new")
    command = stage.clients.acpx(
        "--agent", " ".join(agent), "--approve-all", "--ttl", "5", "prompt", "go"
    )
    turn = subprocess.Popen(
        command, cwd=stage.project, env=stage.environment, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (stage.project / "started").exists():
        assert time.monotonic() < deadline
        assert turn.poll() is None
    stage.acpx(agent, "cancel")
    output, _ = turn.communicate(timeout=60)
    assert "cancelled" in output
    assert {"stopReason": "cancelled"} in [frame.get("result") for _, frame in stage.frames()]


def test_the_program_that_users_run_is_the_one_that_answers(stage):
    punie = [str(Path(sys.executable).parent / "punie"), "acp", "--model", "test"]
    tee = stage.agent()[:3]
    output = stage.acpx([*tee, *punie], "--deny-all", "--format", "quiet", "exec", "hello")
    assert "offline test model" in output
