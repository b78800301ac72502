"""State: variables live from run to run, failures keep what was assigned, reset forgets."""

import pytest

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status


async def test_variables_functions_classes_and_imports_live_on(sandbox: Sandbox) -> None:
    """behaviour: state.lives."""
    await sandbox.run(
        "import textwrap\nx = 1\ndef f():\n    return x + 1\nclass C:\n    y = 3\nr = typecheck('src')"
    )
    result = await sandbox.run("(x, f(), C.y, textwrap.dedent('  a'), r.errors[0].file)")
    assert result.value == (1, 2, 3, "a", "src/app.py")
    assert sandbox.names == {"x", "f", "C", "r", "textwrap"}


async def test_a_failed_run_keeps_what_was_assigned_before_and_says_so(sandbox: Sandbox) -> None:
    """behaviour: state.failed-run."""
    result = await sandbox.run("a = 1\nb = 2\nread_file('nope')\nc = 3")
    assert (result.status, result.state) == (Status.ERROR, "kept")
    assert sandbox.names == {"a", "b"}
    assert (await sandbox.run("a + b")).value == 3
    assert [d.code for d in await sandbox.check("c")] == ["unresolved-reference"]


async def test_a_failed_check_changes_nothing(sandbox: Sandbox) -> None:
    """behaviour: state.failed-check."""
    await sandbox.run("a = 1")
    result = await sandbox.run("a = 2\nnope")
    assert (result.status, result.state) == (Status.CHECK_FAILED, "kept")
    assert (await sandbox.run("a")).value == 1


@pytest.mark.parametrize(
    "code", ["while True: pass", "x = [0] * 10**9", "while True: print('x' * 1000)"]
)
async def test_a_run_stopped_by_a_limit_loses_the_state_and_says_so(code: str) -> None:
    """behaviour: state.lost."""
    async with Sandbox(ExternalFunctions([]), limits=Limits(seconds=0.1, memory=2**25)) as sandbox:
        await sandbox.run("a = 1")
        result = await sandbox.run(code)
        assert result.state == "lost"
        assert sandbox.names == frozenset()
        assert [d.code for d in await sandbox.check("a")] == ["unresolved-reference"]


async def test_reset_forgets_everything(sandbox: Sandbox) -> None:
    """behaviour: state.reset."""
    await sandbox.run("a = 1\nimport heapq")
    await sandbox.reset()
    assert sandbox.names == frozenset()
    assert [d.code for d in await sandbox.check("a")] == ["unresolved-reference"]
    assert (await sandbox.run("import heapq\nheapq.nlargest(1, [1, 2])")).value == [2]


async def test_two_sandboxes_share_nothing() -> None:
    """behaviour: state.separate."""
    async with Sandbox(ExternalFunctions([])) as one, Sandbox(ExternalFunctions([])) as other:
        await one.run("a = 1")
        assert [d.code for d in await other.check("a")] == ["unresolved-reference"]
