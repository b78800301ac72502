"""Many sessions at once on few workers' cores: no deadlock, and fair."""

import asyncio
import time

import pytest

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status, Workers


async def ping(number: int) -> int:
    """Give back a number."""
    return number


CODE = "total = 0\nfor i in range(20):\n    total += ping(i)\ntotal + extra"


async def test_64_sessions_at_once_all_finish_and_none_waits_for_the_rest() -> None:
    """behaviour: concurrency.fair."""
    functions = ExternalFunctions([ping])
    finished: list[float] = []

    async with Workers(sessions=64) as workers:

        async def session(number: int) -> int:
            async with Sandbox(functions, workers=workers) as sandbox:
                await sandbox.run(f"extra = {number}")
                for _ in range(3):
                    result = await sandbox.run(CODE)
                    assert result.status is Status.OK, result
                finished.append(time.monotonic())
                return result.value

        began = time.monotonic()
        values = await asyncio.gather(*(session(number) for number in range(64)))
    assert values == [190 + number for number in range(64)]
    assert finished[-1] - began < 60


async def test_a_busy_session_does_not_hold_up_the_others() -> None:
    """behaviour: concurrency.no-blocking."""
    async with Workers(sessions=4) as workers:
        limits = Limits(seconds=60.0)
        async with (
            Sandbox(ExternalFunctions([]), limits=limits, workers=workers) as busy,
            Sandbox(ExternalFunctions([ping]), workers=workers) as other,
        ):
            await asyncio.gather(busy.run("1"), other.run("1"))
            burning = asyncio.create_task(busy.run("while True: pass"))
            for number in range(10):
                assert (await other.run(f"ping({number})")).value == number
            assert not burning.done()
            burning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await burning


async def test_more_sandboxes_than_sessions_wait_for_their_turn() -> None:
    """behaviour: concurrency.waiting."""
    async with Workers(sessions=2) as workers:

        async def session(number: int) -> int:
            async with Sandbox(ExternalFunctions([ping]), workers=workers) as sandbox:
                return (await sandbox.run(f"ping({number}) * 2")).value

        values = await asyncio.gather(*(session(number) for number in range(12)))
    assert values == [2 * number for number in range(12)]


async def test_runs_of_one_sandbox_go_one_after_the_other(sandbox: Sandbox) -> None:
    """behaviour: concurrency.one-session."""
    results = await asyncio.gather(sandbox.run("x = 1"), sandbox.run("y = 2"), sandbox.run("z = 3"))
    assert [result.status for result in results] == [Status.OK] * 3
    assert (await sandbox.run("x + y + z")).value == 6
