"""Limits: each exceeded one is a named outcome that says what had been done."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status

SMALL = Limits(seconds=0.2, memory=2**25, calls=3, stdout=100, wall_seconds=5, data=10_000)


async def ping(value: Any = None) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("ping()\nwhile True: pass", Status.TIME_LIMIT, "feed time limit exceeded"),
        ("ping()\nx = 'a' * 10**9", Status.MEMORY_LIMIT, "memory limit exceeded"),
        ("for _ in range(4): ping()", Status.CALL_LIMIT, "made more than 3 host calls"),
        ("ping()\nprint('x' * 200)", Status.STDOUT_LIMIT, "printed more than 100 bytes"),
        (
            "ping()\nping('x' * 20_000)",
            Status.DATA_LIMIT,
            "passed more than 10000 bytes to the host",
        ),
        ("ping()\n'x' * 20_000", Status.DATA_LIMIT, "passed more than 10000 bytes to the host"),
    ],
)
async def test_each_limit_has_its_own_outcome(code: str, status: Status, words: str) -> None:
    """behaviour: limits.named."""
    async with Sandbox(ExternalFunctions([ping]), limits=SMALL) as sandbox:
        result = await sandbox.run(code)
        assert result.status is status
        assert result.error is not None
        assert result.error.type == status.value
        assert words in result.error.message
        assert "made before it: ping()" in result.error.message
        assert (await sandbox.run("1 + 1")).value == 2


async def test_recursion_is_an_error_the_code_can_catch() -> None:
    """behaviour: limits.recursion."""
    async with Sandbox(ExternalFunctions([]), limits=replace(SMALL, recursion=50)) as sandbox:
        result = await sandbox.run(
            "def f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    print('deep')"
        )
        assert (result.status, result.stdout) == (Status.OK, "deep\n")


async def test_printed_text_up_to_the_limit_is_kept() -> None:
    """behaviour: limits.stdout-kept."""
    async with Sandbox(ExternalFunctions([]), limits=SMALL) as sandbox:
        exact = await sandbox.run("print('é' * 49, end='')")
        assert (exact.status, len(exact.stdout)) == (Status.OK, 49)
        over = await sandbox.run("print('é' * 51, end='')")
        assert (over.status, over.stdout) == (Status.STDOUT_LIMIT, "é" * 50)


async def test_limits_count_for_each_run_anew() -> None:
    """behaviour: limits.per-run."""
    async with Sandbox(ExternalFunctions([ping]), limits=SMALL) as sandbox:
        for _ in range(5):
            result = await sandbox.run("for _ in range(3): ping()\nprint('x' * 90)")
            assert result.status is Status.OK


async def test_no_calls_can_be_allowed() -> None:
    """behaviour: limits.no-calls."""
    async with Sandbox(ExternalFunctions([ping]), limits=Limits(calls=0)) as sandbox:
        result = await sandbox.run("ping()")
    assert (result.status, result.calls) == (Status.CALL_LIMIT, ())


async def test_time_in_host_calls_is_not_computing_time() -> None:
    """behaviour: limits.host-time."""

    async def slow() -> int:
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, done.set)
        await done.wait()
        return 1

    async with Sandbox(ExternalFunctions([slow]), limits=Limits(seconds=0.1)) as sandbox:
        result = await sandbox.run("slow()")
    assert (result.status, result.value) == (Status.OK, 1)
    assert result.duration >= 0.3
