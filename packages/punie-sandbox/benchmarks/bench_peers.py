# /// script
# requires-python = ">=3.11"
# dependencies = ["punie-sandbox", "pydantic-ai-harness[code-mode]==0.62.0", "smolagents==1.26.0"]
# ///
"""The sandbox beside pydantic-ai-harness CodeMode and smolagents' local executor.

CodeMode is driven through its public interface: an agent whose model asks for `run_code` again and again; a
run's time is what passes between two requests to the model. The same code runs in the sandbox. smolagents'
executor is called directly. The peers are needed here only; where they are not installed, the script starts
itself again in an environment of its own with `uv run`.

    python bench_peers.py --json OUT
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from _rows import out_of, row, written  # ty: ignore[import-not-found]

from punie_sandbox import ExternalFunctions, Limits, Sandbox

PEERS = ["pydantic-ai-harness[code-mode]==0.62.0", "smolagents==1.26.0"]
CALLS = "total = 0\nfor i in range(100):\n    total += ping(x=i)\ntotal"
CODE_MODE_CALLS = "total = 0\nfor i in range(100):\n    total += await ping(x=i)\ntotal"
LOOP = "total = 0\nfor i in range(10_000):\n    total += i * i % 7\ntotal"
TURNS = 15
PACKAGES = ("punie-sandbox", "pydantic-monty", "pydantic-ai-harness", "smolagents")


async def ping(x: int) -> int:
    """Give a number back."""
    return x


async def ours(code: str) -> float:
    """Best milliseconds of the sandbox; the text is new each time, so each run is checked."""
    async with Sandbox(ExternalFunctions([ping]), limits=Limits(calls=200)) as sandbox:
        times = []
        for turn in range(TURNS):
            began = time.perf_counter()
            result = await sandbox.run(f"# {turn}\n{code}")
            times.append(time.perf_counter() - began)
            assert result.ok, result
    return min(times) * 1000


async def code_mode(code: str) -> float:
    """Best milliseconds of CodeMode: from the model's answer to the next request."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel
    from pydantic_ai.usage import UsageLimits
    from pydantic_ai_harness import CodeMode  # ty: ignore[import-not-found]

    times: list[float] = []
    answered: list[float] = []

    def model(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        if answered:
            times.append(time.perf_counter() - answered[-1])
        if len(times) >= TURNS:
            return ModelResponse(parts=[TextPart("done")])
        answered.append(time.perf_counter())
        return ModelResponse(parts=[ToolCallPart("run_code", {"code": f"# {len(times)}\n{code}"})])

    agent = Agent(
        FunctionModel(model), capabilities=[CodeMode(resource_limits={"max_suspensions": 10**6})]
    )
    agent.tool_plain(ping)
    run = await agent.run("go", usage_limits=UsageLimits(request_limit=TURNS + 5))
    text = repr(run.all_messages())
    assert "4950" in text or "29" in text, text[-2000:]
    return min(times) * 1000


async def beside_smolagents(code: str) -> tuple[float, float]:
    """Best milliseconds of the sandbox and of smolagents' local executor for known code, taken by turns."""
    from smolagents.local_python_executor import LocalPythonExecutor  # ty: ignore[import-not-found]

    executor = LocalPythonExecutor([])
    executor.send_tools({})
    own, other = [], []
    async with Sandbox(ExternalFunctions([ping]), limits=Limits(calls=200)) as sandbox:
        for _ in range(TURNS):
            began = time.perf_counter()
            executor(code)
            other.append(time.perf_counter() - began)
            for _ in range(TURNS):  # the shorter one needs more tries to meet a quiet moment
                began = time.perf_counter()
                await sandbox.run(code)
                own.append(time.perf_counter() - began)
    return min(own) * 1000, min(other) * 1000


async def measure() -> list[dict[str, Any]]:
    """All rows; each pair twice, and the better of both, because machines are busy."""

    async def twice(action: Callable[[str], Awaitable[float]], code: str) -> float:
        return min(await action(code), await action(code))

    calls = await twice(ours, CALLS), await twice(code_mode, CODE_MODE_CALLS)
    loops = await twice(ours, LOOP), await twice(code_mode, LOOP)
    known = await beside_smolagents(LOOP)
    return [
        row("100 host calls beside CodeMode (ms)", *calls, least=2.0, packages=PACKAGES),
        row("a loop of 10 000 beside CodeMode (ms)", *loops, least=0.9, packages=PACKAGES),
        row(
            "a loop of 10 000, known code, beside smolagents (ms)",
            *known,
            least=50.0,
            packages=PACKAGES,
        ),
    ]


def main() -> int:
    """Write the rows; 0 when every bound holds."""
    out = out_of(__doc__)
    if importlib.util.find_spec("pydantic_ai_harness") is None:
        return again_with_peers(out)
    return written(asyncio.run(measure()), out)


def again_with_peers(out: Path) -> int:
    """Run this script in an environment that has the peers."""
    uv = shutil.which("uv")
    if uv is None:
        print(f"install {' '.join(PEERS)}, or uv", file=sys.stderr)
        return 2
    package = Path(__file__).resolve().parents[1]
    needs = [argument for need in [str(package), *PEERS] for argument in ("--with", need)]
    command = [
        uv,
        "run",
        "--isolated",
        "--no-project",
        "--python",
        sys.executable,
        *needs,
        "python",
        __file__,
    ]
    return subprocess.run([*command, "--json", str(out.resolve())], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
