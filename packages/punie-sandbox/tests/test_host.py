"""Host functions that misbehave, and values that only one side knows."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, computed_field

from punie_sandbox import ExternalFunctions, Limits, Sandbox, Status


def leaves() -> None:
    raise SystemExit(2)


def cancels() -> None:
    raise asyncio.CancelledError


async def is_cancelled() -> None:
    inner = asyncio.create_task(asyncio.Event().wait())
    inner.cancel()
    await inner


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (leaves, "the function raised SystemExit: 2"),
        (cancels, "the function raised CancelledError: "),
        (is_cancelled, "the function was cancelled"),
    ],
)
async def test_a_host_function_cannot_end_the_program(
    function: Callable[[], Any], message: str
) -> None:
    """behaviour: crash.host-leaves."""
    name = getattr(function, "__name__", "")
    async with Sandbox(ExternalFunctions([function])) as sandbox:
        result = await sandbox.run(f"try:\n    {name}()\nexcept RuntimeError as e:\n    print(e)")
        assert (result.status, result.stdout) == (Status.OK, f"{message}\n")
        assert [call.error for call in result.calls] == [f"RuntimeError: {message}"]


@dataclasses.dataclass
class Place:
    """A plain dataclass, which takes anything."""

    line: int
    names: list[str]


class Found(BaseModel):
    """A model with a property that is declared to be something else."""

    place: Place | None = None

    @computed_field
    @property
    def count(self) -> int:
        """Not a number where there is no place."""
        number: Any = "none" if self.place is None else len(self.place.names)
        return number


WRONG: Any = "wrong"
NOTHING: Any = None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (Found(), "Found.count must be int: Input should be a valid integer"),
        (Place(WRONG, []), "Place.line must be int: Input should be a valid integer"),
        (Place(1, WRONG), "Place.names must be list[str]: Input should be a valid list"),
        ([Found(place=Place(1, [NOTHING]))], "Place.names must be list[str]"),
    ],
)
async def test_fields_that_nothing_validated_are_validated_on_their_way(
    value: Any, problem: str
) -> None:
    """behaviour: crash.host-wrong-field."""

    def find() -> Found | Place | list[Found]:
        return value

    async with Sandbox(ExternalFunctions([find])) as sandbox:
        result = await sandbox.run("try:\n    find()\nexcept Exception:\n    print('caught')")
    assert (result.status, result.stdout) == (Status.HOST_ERROR, "")
    assert f"find() returned a value that cannot enter the sandbox: {problem}" in str(result.error)


@pytest.mark.parametrize(
    "words",
    [
        "feed time limit exceeded: 1.5s > 1s",
        "memory limit exceeded by the tool",
        "the worker exceeded its memory limit and was terminated",
        "suspension limit reached",
    ],
)
async def test_what_is_said_of_limits_ends_no_run_by_a_limit(words: str) -> None:
    """behaviour: limits.said."""

    def tool() -> None:
        raise TimeoutError(words)

    async with Sandbox(ExternalFunctions([tool])) as sandbox:
        for code in ("tool()", f"raise TimeoutError({words!r})", f"raise MemoryError({words!r})"):
            result = await sandbox.run(f"x = 1\n{code}")
            assert (result.status, result.state) == (Status.ERROR, "kept"), code
            assert result.error is not None, code
            assert (result.error.message, result.error.line) == (words, 2)


@pytest.mark.parametrize(
    "code", ["P(1, 2)", "[{'a': P(1, 2)}]", "take(P(1, 2))", "take(x=P(1, 2))"]
)
async def test_a_value_that_the_host_cannot_hold_is_a_named_outcome(code: str) -> None:
    """behaviour: crash.unfit-values."""
    taken: list[object] = []

    def take(x: object) -> None:
        taken.append(x)

    make = "from collections import namedtuple\nP = namedtuple('P', ['class', 'y'], rename=True)\n"
    async with Sandbox(ExternalFunctions([take]), limits=Limits()) as sandbox:
        result = await sandbox.run(make + code)
        assert (result.status, result.state, taken) == (Status.DATA_LIMIT, "lost", [])
        assert "passed a value that the host cannot hold" in str(result.error)
        assert (await sandbox.run("1 + 1")).value == 2
