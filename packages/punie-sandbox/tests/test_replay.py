"""Traces: a run as JSON, and the same run again without the host."""

# ruff: noqa: E501 - snippets

import asyncio
import json
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from punie_sandbox import (
    Call,
    Decision,
    ExternalFunctions,
    ReplayError,
    RunResult,
    Sandbox,
    Status,
    allow,
    deny,
)
from punie_sandbox.testing import MemoryProject

SNIPPETS = {
    "plain": "print('hi')\nsum(range(10))",
    "results": "r = typecheck('src')\nprint(len(r.errors))\n[(e.file, e.line, e.severity) for e in r.errors]",
    "clock": "import time\nfrom datetime import datetime\n(time.time(), datetime.now().isoformat())",
    "random": "import random\n[random.random() for _ in range(5)]",
    "caught error": "try:\n    read_file('nope')\nexcept FileNotFoundError as e:\n    print(e)",
    "uncaught error": "x = 1\nread_file('nope')\ny = 2",
    "denied": "write_file('a', 'b')",
    "wrong argument": "import json\ntry:\n    read_file(json.loads('3'))\nexcept TypeError as e:\n    print(e)",
    "failed check": "typecheck('src').erors",
    "record value": "typecheck('src').errors[0]",
    "odd values": "{(1, 2): {3}, 'b': b'x', 'n': float('inf'), 'p': Path('a')}",
    "uses earlier": "r.error_count",
}


class Held(BaseModel):
    """An object that the host keeps and changes."""

    names: list[str]
    counts: dict[str, int]
    nested: dict[str, list[int]]


def no_writes(call: Call) -> Decision:
    return deny("read only") if call.effect == "write" else allow


async def test_traces_replay_byte_identically_without_the_host(project: MemoryProject) -> None:
    """behaviour: trace.replay."""
    async with Sandbox(project.functions(), policy=no_writes) as sandbox:
        traces = [(await sandbox.run(code)).to_json() for code in SNIPPETS.values()]
    texts = [json.dumps(trace, sort_keys=True) for trace in traces]
    gone = MemoryProject()  # a host without files: whatever it answered would differ
    async with Sandbox(gone.functions()) as sandbox:
        again = [await sandbox.replay(RunResult.from_json(json.loads(text))) for text in texts]
    assert [json.dumps(result.to_json(), sort_keys=True) for result in again] == texts


async def test_a_trace_says_everything_a_run_was(sandbox: Sandbox) -> None:
    """behaviour: trace.json."""
    result = await sandbox.run(
        "write_file(content='y', path='x')\nprint(1)\ntypecheck('src/util.py', strict=False)"
    )
    data = result.to_json()
    for call in data["calls"]:
        assert call.pop("duration") >= 0
    assert data.pop("duration") > 0
    assert data == {
        "version": 1,
        "status": "ok",
        "code": result.code,
        "value": {
            "$record": "TypeCheckResult",
            "fields": {"errors": [], "success": True, "error_count": 0},
        },
        "stdout": "1\n",
        "calls": [
            {
                "id": 1,
                "name": "write_file",
                "arguments": {"path": "x", "content": "y"},
                "effect": "write",
                "decision": "allow",
                "result": None,
                "error": None,
            },
            {
                "id": 2,
                "name": "typecheck",
                "arguments": {"path": "src/util.py"},
                "effect": "read",
                "decision": "allow",
                "result": {"errors": [], "success": True, "error_count": 0},
                "error": None,
            },
        ],
        "diagnostics": [],
        "error": None,
        "state": "kept",
        "functions": sandbox.functions.digest(),
        "clock": [],
        "settled": [],
    }


async def test_a_trace_of_other_functions_is_refused(
    sandbox: Sandbox, project: MemoryProject
) -> None:
    """behaviour: trace.functions-changed."""
    result = await sandbox.run("1")
    async with Sandbox(ExternalFunctions([project.read_file])) as other:
        with pytest.raises(ReplayError, match="other functions"):
            await other.replay(result)


async def test_a_trace_that_does_not_fit_its_code_is_refused(sandbox: Sandbox) -> None:
    """behaviour: trace.diverges."""
    data = (await sandbox.run("read_file('README.md')")).to_json()
    data["code"] = "read_file('src/app.py')"
    with pytest.raises(ReplayError, match="call 1 is read_file"):
        await sandbox.replay(RunResult.from_json(data))


async def test_a_trace_of_another_version_is_refused(sandbox: Sandbox) -> None:
    """behaviour: trace.version."""
    data = (await sandbox.run("1")).to_json() | {"version": 2}
    with pytest.raises(ValueError, match="version 2"):
        RunResult.from_json(data)


async def test_answers_come_in_the_order_of_the_trace() -> None:
    """behaviour: trace.settled."""
    second_done = asyncio.Event()

    async def fetch(number: int) -> int:
        if number == 1:
            await second_done.wait()
        else:
            asyncio.get_running_loop().call_later(0.01, second_done.set)
        return number

    code = (
        "import asyncio\n"
        "async def job(n):\n"
        "    print(await fetch(n))\n"
        "await asyncio.gather(job(1), job(2))\n"
    )
    async with Sandbox(ExternalFunctions([fetch], awaited={"fetch"})) as sandbox:
        result = await sandbox.run(code)
        assert (result.stdout, result.settled) == ("2\n1\n", ((2,), (1,)))
        trace = json.dumps(result.to_json())
        again = await sandbox.replay(RunResult.from_json(json.loads(trace)))
        assert json.dumps(again.to_json()) == trace
        for settled, words in (
            ([[2]], "waits for more calls"),
            ([[7], [1]], "not wait for calls 7"),
        ):
            with pytest.raises(ReplayError, match=words):
                await sandbox.replay(RunResult.from_json(json.loads(trace) | {"settled": settled}))


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
async def test_numbers_without_a_json_form_replay_and_are_json_all_the_same(number: str) -> None:
    """behaviour: trace.odd-numbers."""

    def half(x: float, more: list[float | None], any_number: int | float) -> float:
        return x / 2

    code = f"n = float('{number}')\nhalf(n, [n, None, 1.5], n)"
    async with Sandbox(ExternalFunctions([half])) as sandbox:
        result = await sandbox.run(code)
        trace = json.dumps(result.to_json(), allow_nan=False)
        again = await sandbox.replay(RunResult.from_json(json.loads(trace)))
    assert result.status.value == "ok"
    assert json.dumps(again.to_json()) == trace


async def test_a_trace_without_the_answer_to_a_call_is_refused(sandbox: Sandbox) -> None:
    """behaviour: trace.diverges."""
    data = (await sandbox.run("typecheck('src').success")).to_json()
    data["calls"][0]["result"] = None
    with pytest.raises(ReplayError, match="call 1, typecheck\\(\\), has no answer"):
        await sandbox.replay(RunResult.from_json(data))


async def test_a_record_holds_what_was_whatever_the_host_does_to_its_objects_later() -> None:
    """behaviour: records.copies."""
    held = Held(names=["a"], counts={"a": 1}, nested={"a": [1]})

    def get() -> Held:
        return held

    def change() -> None:
        held.names.append("b")
        held.counts["b"] = 2
        held.nested["a"].append(2)

    async with Sandbox(ExternalFunctions([get, change])) as sandbox:
        result = await sandbox.run("get()\nchange()\nget().names")
    assert result.value == ["a", "b"]
    assert result.calls[0].result == {"names": ["a"], "counts": {"a": 1}, "nested": {"a": [1]}}


class Square(BaseModel):
    """One side."""

    side: int


class Circle(BaseModel):
    """As many fields, by another name."""

    radius: int


class Tile(Square):
    """A square, and more."""

    colour: str


def circles() -> list[Square] | list[Circle]:
    """The second of two lists."""
    return [Circle(radius=2)]


def squares_or_sizes() -> list[int] | list[Square]:
    """Records where there could be numbers."""
    return [Square(side=2)]


def pairs() -> tuple[int, ...] | tuple[Square, ...]:
    """The same, in a tuple."""
    return (Square(side=2),)


def by_name() -> dict[str, int] | dict[str, Square]:
    """The same, in a dict."""
    return {"a": Square(side=2)}


def tile() -> Square | Tile:
    """The narrower class, named last."""
    return Tile(side=2, colour="red")


def tiles() -> list[Square] | list[Tile]:
    """The same, in a list."""
    return [Tile(side=2, colour="red")]


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (circles, "[Circle(radius=2)]"),
        (squares_or_sizes, "[Square(side=2)]"),
        (pairs, "(Square(side=2),)"),
        (by_name, "{'a': Square(side=2)}"),
        (tile, "Tile(side=2, colour='red')"),
        (tiles, "[Tile(side=2, colour='red')]"),
    ],
)
async def test_a_result_of_a_union_is_what_it_holds_to_the_code_and_in_its_replay(
    function: Callable[[], object], shown: str
) -> None:
    """behaviour: trace.replay."""
    functions = ExternalFunctions([function])
    async with Sandbox(functions) as sandbox:
        result = await sandbox.run(f"print({functions.names[0]}())")
        assert (result.status, result.stdout) == (Status.OK, f"{shown}\n")
        trace = json.dumps(result.to_json())
        again = await sandbox.replay(RunResult.from_json(json.loads(trace)))
        assert json.dumps(again.to_json()) == trace
