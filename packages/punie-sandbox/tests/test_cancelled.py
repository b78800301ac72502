"""What is cancelled leaves the sandbox fit for the next run."""

import asyncio
import contextlib
from collections.abc import Awaitable

from punie_sandbox import Limits, Sandbox, Status, allow, ask
from punie_sandbox._run import Run
from punie_sandbox._stops import Stopped
from punie_sandbox.testing import MemoryProject


async def cancelled(work: Awaitable[object], steps: int) -> None:
    """Cancel what was begun, after so many steps of the event loop."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_cancelled_plan_leaves_the_variables_alone(sandbox: Sandbox) -> None:
    """behaviour: crash.plan-cancelled."""
    await sandbox.run("x = 1")
    for steps in range(12):
        await cancelled(sandbox.plan("x"), steps)
        result = await sandbox.run("x")
        assert (result.status, result.value) == (Status.OK, 1), steps


async def test_a_cancelled_look_at_what_a_failed_run_assigned_is_no_trouble_for_the_next_run(
    project: MemoryProject, sandbox: Sandbox
) -> None:
    """behaviour: crash.failed-cancelled."""
    for steps in range(1, 12):
        await sandbox.run("x = 1")
        code = "".join(f"y{number} = 1 / 0\n" for number in range(50))
        run = Run(code, project.functions(), Limits(), None)
        failed = sandbox._failed(run, sandbox._open_session(), Stopped(Status.ERROR, "as if"))
        await cancelled(failed, steps)
        assert (await sandbox.run("1 + 1")).value == 2, steps


async def test_a_cancelled_resumption_can_be_made_again(project: MemoryProject) -> None:
    """behaviour: pause.cancelled."""
    async with Sandbox(project.functions(), policy=lambda _: ask) as sandbox:
        paused = await sandbox.run("read_file('README.md')")
        blob = paused.pending.dump()
        for steps in range(3):
            await cancelled(sandbox.resume(blob, allow), steps)
        result = await sandbox.resume(blob, allow)
        assert (result.status, result.value) == (Status.OK, "# Sample\n")
        assert (await sandbox.run("1 + 1")).value == 2
