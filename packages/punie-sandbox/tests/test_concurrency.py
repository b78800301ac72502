"""Many sessions at once on few workers' cores: no deadlock, and fair."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from punie_sandbox import BusyError, ExternalFunctions, Limits, Sandbox, Status, Workers
from punie_sandbox.testing import MemoryProject


async def ping(number: int) -> int:
    """Give back a number."""
    return number


CODE = "total = 0\nfor i in range(20):\n    total += ping(i)\ntotal + extra"


async def test_64_sessions_at_once_all_finish_and_none_waits_for_the_rest() -> None:
    """behaviour: concurrency.fair."""
    functions = ExternalFunctions([ping])
    sessions, rounds = 64, 8
    done = [0] * sessions
    when_first_finished: list[int] = []

    async with Workers(sessions=sessions) as workers, AsyncExitStack() as stack:
        sandboxes = [
            await stack.enter_async_context(Sandbox(functions, workers=workers))
            for _ in range(sessions)
        ]

        async def session(number: int, sandbox: Sandbox) -> int:
            value = 0
            for turn in range(rounds):
                result = await sandbox.run(f"extra = {number} + 0 * {turn}\n{CODE}")
                assert result.status is Status.OK, result
                value = result.value
                done[number] += 1
            when_first_finished.extend([] if when_first_finished else done)
            return value

        async with asyncio.timeout(600):
            values = await asyncio.gather(*map(session, range(sessions), sandboxes))
    assert values == [190 + number for number in range(sessions)]
    # whoever is first to end has not left anybody far behind
    assert min(when_first_finished) >= rounds // 2, when_first_finished


async def test_sandboxes_that_hold_all_sessions_can_all_plan_at_once() -> None:
    """behaviour: concurrency.plans."""
    project = MemoryProject.sample()
    other = ExternalFunctions([ping])
    async with Workers(sessions=3, patience=20) as workers, AsyncExitStack() as stack:
        planners = [
            await stack.enter_async_context(
                Sandbox(project.functions(), preview=project.preview(), workers=workers)
            )
            for _ in range(2)
        ]
        third = await stack.enter_async_context(Sandbox(other, workers=workers))
        for number, sandbox in enumerate([*planners, third]):
            assert (await sandbox.run(f"x = {number}")).ok
        plans = await asyncio.gather(*(each.plan("x") for each in planners * 4))
    assert [plan.result.value for plan in plans] == [0, 1] * 4


async def test_checkers_for_many_functions_take_turns() -> None:
    """behaviour: concurrency.checkers."""

    def function(number: int) -> ExternalFunctions:
        async def give() -> int:
            return number

        give.__name__ = f"give_{number}"
        return ExternalFunctions([give])

    async with Workers(sessions=12) as workers:

        async def session(number: int) -> list[int]:
            async with Sandbox(function(number), workers=workers) as sandbox:
                return [(await sandbox.run(f"give_{number}() + {n}")).value for n in range(5)]

        values = await asyncio.gather(*map(session, range(12)))
    assert values == [[number + n for n in range(5)] for number in range(12)]


async def test_who_waits_too_long_for_a_session_is_told_so() -> None:
    """behaviour: concurrency.busy."""
    functions = ExternalFunctions([ping])
    async with (
        Workers(sessions=1, patience=0.1) as workers,
        Sandbox(functions, workers=workers) as one,
        Sandbox(functions, workers=workers) as other,
    ):
        assert (await one.run("x = 1")).ok
        with pytest.raises(BusyError, match=r"no worker became free within 0\.1 s"):
            await other.run("x = 2")
        await one.reset()
        assert (await other.run("x = 2\nx")).value == 2


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
