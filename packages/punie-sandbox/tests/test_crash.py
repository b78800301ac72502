"""Workers that die, host functions that misbehave, cancelled runs: the next run works."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status, _worker
from punie_sandbox.testing import MemoryProject, TypeCheckResult


def children() -> set[int]:
    """Process ids of the running (not only un-reaped) children of this process."""
    found = set()
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.add(int(entry.name))
    return found


def hold(sandbox: Sandbox) -> int:
    """The worker of the sandbox's session."""
    session = sandbox._session
    assert session is not None
    assert session.worker is not None
    return session.worker


async def works_again(sandbox: Sandbox) -> bool:
    return (await sandbox.run("1 + 1")).value == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_worker_that_dies_inside_a_call_is_a_named_outcome(number: signal.Signals) -> None:
    """behaviour: crash.worker-dies."""

    async def shoot() -> None:
        os.kill(hold(sandbox), number)

    async with Sandbox(ExternalFunctions([shoot])) as sandbox:
        await sandbox.run("x = 1")
        result = await sandbox.run("shoot()")
        assert (result.status, result.state) == (Status.CRASHED, "lost")
        assert "shoot()" in str(result.error)
        assert await works_again(sandbox)
        assert sandbox.names == frozenset()


async def test_a_worker_that_dies_between_runs_is_noticed_and_replaced() -> None:
    """behaviour: crash.worker-dies-idle."""
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.run("x = 1")
        os.kill(hold(sandbox), signal.SIGKILL)
        result = await sandbox.run("x")
        assert (result.status, result.state) == (Status.CRASHED, "lost")
        assert await works_again(sandbox)


async def test_a_worker_that_dies_in_a_loop_is_a_named_outcome() -> None:
    """behaviour: crash.worker-dies."""
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.run("1")
        asyncio.get_running_loop().call_later(0.05, os.kill, hold(sandbox), signal.SIGKILL)
        result = await sandbox.run("while True: pass")
        assert result.status is Status.CRASHED
        assert await works_again(sandbox)


async def test_a_stopped_worker_ends_at_the_time_limit() -> None:
    """behaviour: crash.worker-stopped."""
    async with Sandbox(ExternalFunctions([]), limits=Limits(seconds=0.2)) as sandbox:
        await sandbox.run("1")
        asyncio.get_running_loop().call_later(0.05, os.kill, hold(sandbox), signal.SIGSTOP)
        began = time.monotonic()
        result = await sandbox.run("while True: pass")
        assert result.status is Status.TIME_LIMIT
        assert time.monotonic() - began < 5
        assert await works_again(sandbox)


def checking(sandbox: Sandbox) -> int:
    """The worker of the sandbox's checker."""
    worker = sandbox._workers.checker(sandbox.functions)._worker
    assert worker is not None
    assert worker.pid is not None
    return worker.pid


async def test_a_checker_that_died_meanwhile_is_replaced_and_the_code_is_not_blamed() -> None:
    """behaviour: crash.checker-dies."""
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.check("1")
        os.kill(checking(sandbox), signal.SIGKILL)
        assert [d.code for d in await sandbox.check("nope")] == ["unresolved-reference"]


async def test_code_that_a_checker_died_on_is_checked_anew_when_it_comes_again() -> None:
    """behaviour: crash.checker-dies-again."""
    slow = "def f():\n    " + "x = " * 20_000 + "1"
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.check("1")
        await sandbox._workers.checker(sandbox.functions).close()

        loop = asyncio.get_running_loop()

        def shoot() -> None:
            """Kill the new worker as soon as there is one."""
            if sandbox._workers.checker(sandbox.functions).warm:
                os.kill(checking(sandbox), signal.SIGKILL)
            else:
                loop.call_soon(shoot)

        loop.call_soon(shoot)
        assert [d.code for d in await sandbox.check(slow)] == ["check-crashed"]
        assert [d.code for d in await sandbox.check(slow)] != ["check-crashed"]


async def test_a_cancelled_check_leaves_the_checker_fit_for_the_next() -> None:
    """behaviour: crash.check-cancelled."""
    slow = "def f():\n    " + "x = " * 20_000 + "1"
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.check("1")
        task = asyncio.create_task(sandbox.check(slow))
        asyncio.get_running_loop().call_later(0.1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [d.code for d in await sandbox.check("nope")] == ["unresolved-reference"]


async def test_a_plan_on_a_dead_worker_is_a_named_outcome_and_the_next_run_works() -> None:
    """behaviour: crash.plan-worker-dies."""
    project = MemoryProject.sample()
    async with Sandbox(project.functions(), preview=project.preview()) as sandbox:
        await sandbox.run("x = 1")
        os.kill(hold(sandbox), signal.SIGKILL)
        plan = await sandbox.plan("x")
        assert (plan.result.status, plan.result.state) == (Status.CRASHED, "lost")
        assert await works_again(sandbox)


@pytest.mark.parametrize("code", ["ping()\nwhile True: pass", "ping()\nhang()"])
async def test_closing_ends_a_run_that_is_under_way(code: str) -> None:
    """behaviour: crash.closed."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def ping() -> None:
        inside.set()

    async def hang() -> None:
        await leave.wait()

    sandbox = await Sandbox(ExternalFunctions([ping, hang]), limits=Limits(seconds=60)).open()
    await sandbox.run("1")
    worker = hold(sandbox)
    running = asyncio.create_task(sandbox.run(code))
    await inside.wait()
    await sandbox.close()
    leave.set()
    result = await running
    assert (result.status, result.state) == (Status.CRASHED, "lost")
    assert "the sandbox was closed; made before it: ping()" in str(result.error)
    assert worker not in children()


class WeirdError(Exception):
    """An exception of the host that the sandbox does not know."""


def raises_weird() -> None:
    raise WeirdError("strange things")


def raises_key_error() -> None:
    raise KeyError("k")


def raises_timeout() -> None:
    raise TimeoutError("slow server")


def raises_unicode() -> None:
    b"\xff".decode()


def raises_stop_iteration() -> None:
    next(iter([]))


def raises_surrogates() -> None:
    raise ValueError("no file \udcff")


class SilentError(Exception):
    """An exception that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_silent() -> None:
    raise SilentError


class MissingError(FileNotFoundError):
    """A host's own kind of a built-in exception."""


def raises_missing() -> None:
    raise MissingError("no file")


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (raises_weird, "RuntimeError", "WeirdError: strange things"),
        (raises_key_error, "KeyError", "k"),
        (raises_timeout, "TimeoutError", "slow server"),
        (raises_unicode, "ValueError", "'utf-8' codec can't decode byte 0xff"),
        (raises_missing, "FileNotFoundError", "no file"),
        (raises_stop_iteration, "RuntimeError", "the function raised StopIteration"),
        (raises_surrogates, "ValueError", "no file ?"),
        (raises_silent, "RuntimeError", "SilentError: (its text cannot be read)"),
    ],
)
async def test_exceptions_of_host_functions_reach_the_code_as_built_in_ones(
    function: Callable[[], None], kind: str, message: str
) -> None:
    """behaviour: crash.host-raises."""
    name = getattr(function, "__name__", "")
    async with Sandbox(ExternalFunctions([function])) as sandbox:
        caught = await sandbox.run(f"try:\n    {name}()\nexcept {kind} as e:\n    print(e)")
        assert caught.status is Status.OK
        assert message in caught.stdout
        uncaught = await sandbox.run(f"x = 1\n{name}()")
        assert uncaught.error is not None
        assert (uncaught.status, uncaught.error.type, uncaught.error.line) == (
            Status.ERROR,
            kind,
            2,
        )


async def test_a_hanging_host_function_is_ended_after_its_time() -> None:
    """behaviour: crash.host-hangs."""

    async def hang() -> None:
        await asyncio.Event().wait()

    limits = Limits(call_seconds=0.05)
    async with Sandbox(ExternalFunctions([hang]), limits=limits) as sandbox:
        result = await sandbox.run("try:\n    hang()\nexcept TimeoutError as e:\n    print(e)")
        assert (result.status, result.stdout) == (Status.OK, "hang() took longer than 0.05 s\n")
        assert await works_again(sandbox)


async def test_the_wall_clock_ends_a_run_inside_a_call() -> None:
    """behaviour: limits.wall."""

    async def hang() -> None:
        await asyncio.Event().wait()

    async with Sandbox(ExternalFunctions([hang]), limits=Limits(wall_seconds=1)) as sandbox:
        result = await sandbox.run("hang()")
        assert result.status is Status.WALL_LIMIT
        assert "in hang()" in str(result.error)
        assert await works_again(sandbox)


@pytest.mark.parametrize(
    "value",
    ["3", None, [3], 3.5, True, object(), float, TypeCheckResult],
    ids=lambda v: repr(v)[:20],
)
async def test_a_wrong_return_type_is_a_host_error_and_never_reaches_the_code(value: Any) -> None:
    """behaviour: crash.host-wrong-type."""

    def number() -> int:
        return value

    async with Sandbox(ExternalFunctions([number])) as sandbox:
        result = await sandbox.run("try:\n    number()\nexcept Exception:\n    print('caught')")
        assert (result.status, result.stdout) == (Status.HOST_ERROR, "")
        assert "declared int" in str(result.error)
        assert await works_again(sandbox)


@pytest.mark.parametrize("code", ["while True: pass", "hang()", "while True: quick()"])
async def test_a_cancelled_run_leaves_nothing_behind(code: str) -> None:
    """behaviour: crash.cancelled."""

    async def hang() -> None:
        await asyncio.Event().wait()

    async def quick() -> None:
        return None

    limits = Limits(calls=10**6)
    async with Sandbox(ExternalFunctions([hang, quick]), limits=limits) as sandbox:
        await sandbox.run("1")
        worker = hold(sandbox)
        task = asyncio.create_task(sandbox.run(code))
        asyncio.get_running_loop().call_later(0.1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await works_again(sandbox)
        assert worker not in children()


async def test_closing_leaves_no_process() -> None:
    """behaviour: crash.no-leak."""
    before = children()
    async with Sandbox(ExternalFunctions([])) as sandbox:
        await sandbox.run("x = 1")
        await sandbox.run("while True: print('x' * 10000)")
        await sandbox.run("x = 1")
    assert children() <= before


async def test_an_exception_in_the_policy_reaches_the_caller_and_the_sandbox_lives_on() -> None:
    """behaviour: crash.policy-raises."""

    def policy(call: object) -> Any:
        raise ZeroDivisionError("policy bug")

    async with Sandbox(ExternalFunctions([raises_weird]), policy=policy) as sandbox:
        with pytest.raises(ZeroDivisionError, match="policy bug"):
            await sandbox.run("raises_weird()")
        assert await works_again(sandbox)


@pytest.mark.parametrize("code", ["name()", "odd()", "await later()"])
async def test_what_cannot_enter_is_a_host_error_and_the_next_run_works(code: str) -> None:
    """behaviour: crash.host-odd-values."""

    def name() -> str:
        return "\udcff"

    def odd() -> Any:
        return {"a": ["\udcff"]}

    async def later() -> str:
        return "\udcff"

    async with Sandbox(ExternalFunctions([name, odd, later], awaited={"later"})) as sandbox:
        result = await sandbox.run(f"x = 1\n{code}")
        assert (result.status, result.state) == (Status.HOST_ERROR, "lost")
        assert "surrogates" in str(result.error)
        json.loads(json.dumps(result.to_json()))
        assert await works_again(sandbox)


async def test_awaited_calls_that_nobody_waits_for_end_with_their_run() -> None:
    """behaviour: crash.awaited-calls-end."""
    running: set[int] = set()

    async def fetch(number: int) -> int:
        running.add(number)
        try:
            if number == 1:
                raise ValueError("one")
            await asyncio.Event().wait()
        finally:
            running.discard(number)
        return number

    async with Sandbox(ExternalFunctions([fetch], awaited={"fetch"})) as sandbox:
        result = await sandbox.run(
            "import asyncio\nawait asyncio.gather(fetch(1), fetch(2), fetch(3))"
        )
        assert result.status is Status.ERROR
        assert running == set()
        assert await works_again(sandbox)


@pytest.mark.parametrize("known", [True, False])
async def test_the_search_for_a_tracing_library_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """behaviour: host.tracing."""
    searched: list[str] = []

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            searched.append(name)

    async with Sandbox(ExternalFunctions([])) as sandbox:
        assert await works_again(sandbox)
        monkeypatch.delitem(sys.modules, "opentelemetry", raising=False)
        monkeypatch.setattr(_worker, "_can_trace", lambda: known)
        monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
        assert (await sandbox.run("2 + 2")).value == 4
    assert ("opentelemetry" in searched) is known
    assert known or "opentelemetry" not in sys.modules


async def test_a_sync_host_function_does_not_block_the_event_loop() -> None:
    """behaviour: host.sync-in-thread."""
    import threading

    here = threading.get_ident()

    def where() -> int:
        return threading.get_ident()

    async with Sandbox(ExternalFunctions([where])) as sandbox:
        assert (await sandbox.run("where()")).value != here


def test_limits_must_be_positive() -> None:
    """behaviour: limits.positive."""
    with pytest.raises(ValueError, match="seconds must be positive"):
        Limits(seconds=0)
    with pytest.raises(ValueError, match="memory must be positive"):
        replace(Limits(), memory=-1)
