"""How the program ends: with the truth in its exit code, and with nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

import pytest

from punie_agent.cli import main

sys.path.insert(0, str(Path(__file__).parent))
from serving import chat_server, delta

ASK = [sys.executable, "-m", "punie_agent", "ask"]


async def asked(
    *arguments: str | bytes, url: str, cwd: Path, stdin: bytes | None = b""
) -> tuple[int, bytes]:
    """Run `punie ask` on the model server at `url`; returns its exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *ASK,
        *arguments,
        "--model",
        f"{url}#tiny",
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_command_ends_with_the_program_that_a_signal_ends(
    project: Path, number: signal.Signals
) -> None:
    os.mkfifo(project / "pid")
    program = "echo $$ > pid; exec sleep 600"
    async with chat_server() as server:
        server.events = [delta(f"```python\nrun_command('sh', ['-c', {program!r}])\n```", "stop")]
        process = await asyncio.create_subprocess_exec(
            *ASK, "Wait", "--yes", "--model", f"{server.url}#tiny", cwd=project
        )
        started = int(await asyncio.to_thread((project / "pid").read_text))
        process.send_signal(number)
        assert await process.wait() == 128 + number
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


async def test_code_that_was_cut_off_is_no_success_whatever_the_model_claims(project: Path) -> None:
    async with chat_server() as server:
        server.script = [
            [delta("```python\nprint(typecheck(", "length")],
            [delta("There are no errors.", "stop")],
        ]
        code, said = await asked("Check it", url=server.url, cwd=project)
    assert (code, said.decode().splitlines()[-2:]) == (
        1,
        [
            "There are no errors.",
            "punie: The last code was cut off and was not run. What is said above rests on no result.",
        ],
    )


async def test_what_a_models_server_says_commands_no_terminal(project: Path) -> None:
    async with chat_server() as server:
        server.status, server.error = 400, b"\x1b]0;owned\x07 no"
        code, said = await asked("Hello", url=server.url, cwd=project)
    told = f"punie: {server.url} answered 400: \\x1b]0;owned\\x07 no\n"
    assert (code, said.decode()) == (3, told)


async def test_a_prompt_that_is_no_utf8_is_asked_with_the_odd_bytes_replaced(project: Path) -> None:
    async with chat_server() as server:
        results = [
            await asked(b"Caf\xe9?", url=server.url, cwd=project),
            await asked("-", url=server.url, cwd=project, stdin=b"Caf\xe9?"),
        ]
    assert results == [(0, b"Hello there.\n")] * 2
    assert [body["messages"][-1]["content"] for body in server.bodies] == ["Caf\ufffd?"] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("ask -", 2, "punie: standard input is closed; give the prompt as an argument"),
        ("chat", 0, "> "),
        ("ask 'Write x to new.py'", 1, "no terminal to ask on; allow everything with --yes"),
    ],
)
def test_a_closed_standard_input_is_one_that_has_ended(
    project: Path, arguments: str, code: int, said: str
) -> None:
    line = f"{sys.executable} -m punie_agent {arguments} --model test <&-"
    done = subprocess.run(
        ["sh", "-c", line], cwd=project, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


class Interrupted(MetaPathFinder):
    """Ctrl-C while a command is being imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> None:
        """Find nothing."""
        if fullname == "punie_agent.cli._doctor":
            raise KeyboardInterrupt


def test_an_interrupt_while_it_starts_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "punie_agent.cli._doctor", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert main(["doctor"]) == 130
