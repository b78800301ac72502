"""Pausing at a question, and going on in this process or another."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from punie_sandbox import (
    Call,
    Decision,
    ExternalFunctions,
    Limits,
    PendingRunError,
    RunResult,
    Sandbox,
    SnapshotError,
    Status,
    allow,
    ask,
    deny,
)
from punie_sandbox.testing import MemoryProject

CODE = """\
before = len(list_files("src/"))
print("before")
write_file("new.txt", f"{before} files")
print("after")
read_file("new.txt")
"""
CONCURRENT = """\
import asyncio
async def job(x):
    y = await fetch(x)
    save(y)
    return y
await asyncio.gather(job(1), fetch(5))
"""


def ask_for_writes(call: Call) -> Decision:
    return ask if call.effect == "write" else allow


async def test_a_question_pauses_the_run_and_names_the_call(project: MemoryProject) -> None:
    """behaviour: pause.named-call."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        result = await sandbox.run(CODE)
    assert result.status is Status.PENDING
    assert result.pending is not None
    assert result.pending.call == Call(
        2, "write_file", {"path": "new.txt", "content": "3 files"}, "write"
    )
    assert result.stdout == "before\n"
    assert "new.txt" not in project.files


async def test_an_allowed_call_goes_on_with_everything_as_it_was(project: MemoryProject) -> None:
    """behaviour: pause.resume-allow."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        paused = await sandbox.run(CODE)
        assert paused.pending is not None
        result = await sandbox.resume(paused.pending.dump(), allow)
        assert (result.status, result.value, result.stdout) == (
            Status.OK,
            "3 files",
            "before\nafter\n",
        )
        assert [call.name for call in result.calls] == ["list_files", "write_file", "read_file"]
        assert (await sandbox.run("before")).value == 3


async def test_a_denied_call_raises_permission_error_in_the_code(project: MemoryProject) -> None:
    """behaviour: pause.resume-deny."""
    code = "try:\n    write_file('a', 'b')\nexcept PermissionError as e:\n    print(e)\n"
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        paused = await sandbox.run(code)
        assert paused.pending is not None
        result = await sandbox.resume(paused.pending.dump(), deny("not today"))
    assert (result.status, result.stdout) == (Status.OK, "not today\n")
    assert result.calls[0].decision == "deny"


async def test_variables_of_earlier_runs_survive_a_pause(project: MemoryProject) -> None:
    """behaviour: pause.keeps-state."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        await sandbox.run("earlier = typecheck('src')")
        paused = await sandbox.run("write_file('a', 'b')\nearlier.error_count")
        assert paused.pending is not None
        result = await sandbox.resume(paused.pending.dump(), allow)
        assert result.value == 3
        assert (await sandbox.run("earlier.errors[0].line")).value == 5


async def test_one_run_can_pause_several_times(project: MemoryProject) -> None:
    """behaviour: pause.again."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        result = await sandbox.run("for n in 'abc':\n    write_file(n, n)\n")
        for _ in range(3):
            assert result.pending is not None
            result = await sandbox.resume(result.pending.dump(), allow)
    assert result.status is Status.OK
    assert project.files["c"] == "c"


async def test_a_new_run_must_wait_until_the_question_is_answered_or_dropped(
    project: MemoryProject,
) -> None:
    """behaviour: pause.blocks-runs."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        await sandbox.run("write_file('a', 'b')")
        with pytest.raises(PendingRunError, match="resume"):
            await sandbox.run("1")
        await sandbox.reset()
        assert (await sandbox.run("1")).value == 1


RESUME = """\
import asyncio, json, sys
from pathlib import Path
from punie_sandbox import Sandbox, allow
from punie_sandbox.testing import MemoryProject

async def main():
    project = MemoryProject.sample()
    async with Sandbox(project.functions(), signing_key=b"k" * 32) as sandbox:
        blob = Path(sys.argv[1]).read_bytes()
        call = sandbox.waiting(blob).call
        result = await sandbox.resume(blob, allow)
    asked = [call.id, call.name, call.arguments, call.effect]
    print(json.dumps([asked, result.to_json(), project.files["new.txt"]]))

asyncio.run(main())
"""


async def test_another_process_with_the_key_can_go_on(
    project: MemoryProject, tmp_path: Path
) -> None:
    """behaviour: pause.other-process."""
    async with Sandbox(
        project.functions(), policy=ask_for_writes, signing_key=b"k" * 32
    ) as sandbox:
        paused = await sandbox.run(CODE)
    assert paused.pending is not None
    blob = tmp_path / "paused"
    blob.write_bytes(paused.pending.dump())
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RESUME, str(blob), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await done.communicate()
    asked, data, written = json.loads(printed)
    assert asked == [2, "write_file", {"path": "new.txt", "content": "3 files"}, "write"]
    assert (data["status"], data["value"], data["stdout"]) == ("ok", "3 files", "before\nafter\n")
    assert written == "3 files"


@pytest.mark.parametrize("position", [0, 13, 20, 60, 200, -1])
async def test_changed_bytes_are_refused(project: MemoryProject, position: int) -> None:
    """behaviour: pause.signed."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        paused = await sandbox.run(CODE)
        assert paused.pending is not None
        blob = bytearray(paused.pending.dump())
        blob[position] ^= 1
        with pytest.raises(SnapshotError):
            await sandbox.resume(bytes(blob), allow)


async def test_another_key_is_refused(project: MemoryProject) -> None:
    """behaviour: pause.signed."""
    async with Sandbox(project.functions(), policy=ask_for_writes) as sandbox:
        paused = await sandbox.run(CODE)
    assert paused.pending is not None
    async with Sandbox(project.functions()) as other:
        with pytest.raises(SnapshotError, match="another key"):
            await other.resume(paused.pending.dump(), allow)


async def test_other_functions_are_refused(project: MemoryProject) -> None:
    """behaviour: pause.functions-changed."""
    async with Sandbox(project.functions(), policy=ask_for_writes, signing_key=b"k") as sandbox:
        paused = await sandbox.run(CODE)
    assert paused.pending is not None
    fewer = ExternalFunctions([project.read_file, project.list_files])
    async with Sandbox(fewer, signing_key=b"k") as other:
        with pytest.raises(SnapshotError, match="functions changed"):
            await other.resume(paused.pending.dump(), allow)


async def test_calls_made_concurrently_are_settled_before_the_pause() -> None:
    """behaviour: pause.concurrent-calls."""

    async def fetch(x: int) -> int:
        return x * 2

    async def save(x: int) -> None:
        return None

    functions = ExternalFunctions([fetch, save], effects={"save": "write"}, awaited={"fetch"})
    async with Sandbox(functions, policy=ask_for_writes) as sandbox:
        result = await sandbox.run(CONCURRENT)
        assert result.pending is not None, result
        result = await sandbox.resume(result.pending.dump(), allow)
    assert (result.status, result.value) == (Status.OK, [2, 10])


async def test_a_call_that_is_on_its_way_is_waited_for_before_the_pause() -> None:
    """behaviour: pause.concurrent-calls."""
    asked = asyncio.Event()

    async def fetch(x: int) -> int:
        if x == 5:
            await asked.wait()
        return x * 2

    async def save(x: int) -> None:
        return None

    def policy(call: Call) -> Decision:
        if call.effect == "write":
            asyncio.get_running_loop().call_soon(asked.set)
            return ask
        return allow

    functions = ExternalFunctions([fetch, save], effects={"save": "write"}, awaited={"fetch"})
    async with Sandbox(functions, policy=policy) as sandbox:
        result = await sandbox.run(CONCURRENT)
        assert result.status is Status.PENDING
        result = await sandbox.resume(result.pending.dump(), allow)
        assert (result.status, result.value) == (Status.OK, [2, 10])
        trace = json.dumps(result.to_json())
        again = await sandbox.replay(RunResult.from_json(json.loads(trace)))
    assert json.dumps(again.to_json()) == trace


async def test_a_paused_run_is_answered_once() -> None:
    """behaviour: pause.once."""
    saved: list[int] = []

    async def save(x: int) -> None:
        saved.append(x)

    functions = ExternalFunctions([save], effects={"save": "write"})
    async with Sandbox(functions, policy=ask_for_writes) as sandbox:
        blob = (await sandbox.run("save(1)")).pending.dump()
        assert (await sandbox.resume(blob, allow)).ok
        with pytest.raises(SnapshotError, match="answered before"):
            await sandbox.resume(blob, allow)
    assert saved == [1]


async def test_what_a_question_is_about_counts_once(project: MemoryProject) -> None:
    """behaviour: pause.counted-once."""
    limits = Limits(data=100)
    async with Sandbox(project.functions(), policy=lambda _: ask, limits=limits) as sandbox:
        paused = await sandbox.run(f"write_file('a', {'x' * 60!r})")
        result = await sandbox.resume(paused.pending.dump(), allow)
        assert (result.status, project.files["a"]) == (Status.OK, "x" * 60)
