"""The corpus of escapes: every attempt ends in a named outcome, and the host is unharmed."""

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status
from punie_sandbox.testing import MemoryProject

CORPUS = Path(__file__).parent / "data" / "escapes.txt"
SECRET = "hunter2-hunter2"
LIMITS = Limits(
    seconds=0.15,
    memory=48 * 1024 * 1024,
    calls=50,
    stdout=64 * 1024,
    wall_seconds=2.0,
    call_seconds=1.0,
    data=8 * 1024 * 1024,
)


def attempts() -> Iterator[tuple[str, str]]:
    for part in CORPUS.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, code = part.partition("\n")
        yield name, code


def resident_megabytes() -> int:
    """The largest this process has been."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if os.uname().sysname == "Linux" else peak // (1024 * 1024)


async def works_again(sandbox: Sandbox) -> bool:
    """Whether the next run works; on a machine that has no time for it, one of the next."""
    for _ in range(10):
        result = await sandbox.run("1 + 1")
        if result.status not in {Status.TIME_LIMIT, Status.WALL_LIMIT}:
            return result.value == 2
    return False


class Host:
    """Host functions around the project that make trouble."""

    def __init__(self) -> None:
        self.project = MemoryProject.sample()
        self.shared = {"list": ["kept"]}
        self.sandbox: Sandbox | None = None

    def functions(self) -> ExternalFunctions:
        """What the attempts can call."""
        own = [
            self.sink,
            self.fetch,
            self.get_shared,
            self.kill_worker,
            self.stop_worker,
            self.raise_weird,
            self.lie,
        ]
        return ExternalFunctions(
            [*self.project.functions().functions, *own], hide={"run"}, awaited={"fetch"}
        )

    def _worker(self) -> int:
        assert self.sandbox is not None
        session = self.sandbox._session
        assert session is not None
        assert session.worker is not None
        return session.worker

    async def sink(self, value: Any) -> None:
        """Take anything."""

    async def fetch(self, number: int) -> int:
        """Be awaited."""
        return number

    async def get_shared(self) -> dict[str, list[str]]:
        """Hand out a host object."""
        return self.shared

    async def kill_worker(self) -> None:
        """Kill the worker inside a call."""
        os.kill(self._worker(), signal.SIGKILL)

    async def stop_worker(self) -> None:
        """Stop the worker inside a call."""
        os.kill(self._worker(), signal.SIGSTOP)

    async def raise_weird(self) -> None:
        """Raise what the sandbox does not know."""
        raise type("Weird", (Exception,), {})(SECRET[:3])

    async def lie(self) -> int:
        """Return what was not declared."""
        return "not an int"  # ty: ignore[invalid-explicit-return]


@pytest.mark.parametrize("how", ["checked", "unchecked"])
async def test_every_attempt_is_contained(
    how: str, unchecked: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """behaviour: escapes.contained."""
    run = unchecked if how == "unchecked" else Sandbox.run
    monkeypatch.setenv("PUNIE_SECRET", SECRET)
    victim = tmp_path / "victim"
    victim.write_text("alive")
    host = Host()
    files = host.project.snapshot()
    before = resident_megabytes()
    outcomes: dict[str, str] = {}
    async with Sandbox(host.functions(), limits=LIMITS) as sandbox:
        host.sandbox = sandbox
        for name, code in attempts():
            began = time.monotonic()
            result = await run(sandbox, code.replace("/tmp/victim", str(victim)))
            took = time.monotonic() - began
            assert isinstance(result.status, Status), name
            assert took < 60, (name, took)
            assert SECRET not in json.dumps(result.to_json()), name
            assert "root:" not in json.dumps(result.to_json()), name
            assert await works_again(sandbox), name
            assert host.project.files == files, name
            assert host.shared == {"list": ["kept"]}, name
            outcomes[name] = result.status.value
    assert victim.read_text() == "alive"
    assert not os.path.exists("/tmp/escaped")  # noqa: ASYNC240, PTH110
    assert resident_megabytes() - before < 300
    assert len(outcomes) >= 100
    for name, outcome in OUTCOMES[how].items():
        slow = {"time_limit", "wall_limit"} if outcome.endswith("_limit") else set()
        assert outcomes[name] in {outcome, *slow}, name


BOTH = {
    "infinite loop": "time_limit",
    "infinite loop swallowing": "time_limit",
    "memory list": "memory_limit",
    "memory string doubling": "memory_limit",
    "print flood": "stdout_limit",
    "print huge": "stdout_limit",
    "call flood": "call_limit",
    "call flood swallowed": "call_limit",
    "wide sharing as value": "data_limit",
    "wide sharing as argument": "data_limit",
    "deep nesting as argument": "data_limit",
    "memory argument repeated": "data_limit",
    "worker kill": "crashed",
    "worker stop": "time_limit",
    "host returns a lie": "host_error",
}
OUTCOMES = {
    "checked": {
        **BOTH,
        "import os system": "check_failed",
        "open via eval": "check_failed",
        "exec os": "check_failed",
        "shadow a tool": "check_failed",
    },
    "unchecked": {
        **BOTH,
        "import os system": "error",
        "open via eval": "error",
        "exec os": "error",
    },
}
"""Attempts whose outcome is told apart (on a busy machine, time may run out before another limit does).

Of the others it is enough that the outcome has a name.
"""
