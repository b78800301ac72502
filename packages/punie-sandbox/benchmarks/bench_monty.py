"""The sandbox beside raw pydantic-monty, on the same machine in the same run.

The peer is the interpreter itself, driven with as little code as possible: an async pool, one session, a
host function, no check, no policy, no record. Each figure is the best of many, in milliseconds, measured by
turns so that a busy machine harms both alike.

    python bench_monty.py --json OUT
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import namedtuple
from collections.abc import Awaitable, Callable
from typing import Any

from _rows import out_of, row, written
from pydantic import BaseModel
from pydantic_monty import AsyncMonty

from punie_sandbox import ExternalFunctions, Limits, Sandbox

CALLS = "for i in range(100): ping(i)"
AWAITED = "for i in range(100): await ping(i)"
COUNT = "len([e for e in check('src').errors if e.line > 3])"
SNIPPET = """\
results = []
for path in ["a.py", "b.py", "c.py"]:
    result = check(path)
    if not result.success:
        results.append((path, len(result.errors)))
by_file = {{}}
for path, count in results:
    by_file[path] = by_file.get(path, 0) + count
worst = sorted(by_file.items(), key=lambda item: item[1], reverse=True)
for path, count in worst:
    print(f"{{path}}: {{count}} errors")
found = check("src").errors
lines = [error.line for error in found if error.code is not None]
print(f"{{len(lines)}} lines, from {{min(lines)}} to {{max(lines)}}")
summary = {{"files": len(by_file), "lines": len(lines), "run": {number}}}
"""
ROUNDS = 3, 8
PACKAGES = ("punie-sandbox", "pydantic-monty", "pydantic")
Action = Callable[[], Awaitable[Any]]


class Finding(BaseModel):
    """One of the 1000 errors that cross."""

    file: str
    line: int
    column: int
    message: str
    code: str | None


class Report(BaseModel):
    """The result object that crosses."""

    errors: list[Finding]
    success: bool


REPORT = Report(
    errors=[
        Finding(file=f"src/{n}.py", line=n, column=3, message="Expected int, found str", code="x")
        for n in range(1000)
    ],
    success=False,
)
RawFinding = namedtuple("RawFinding", "file line column message code")
RawReport = namedtuple("RawReport", "errors success")


async def ping(x: int) -> int:
    """Give a number back."""
    return x


async def check(path: str) -> Report:  # noqa: ARG001 - the signature is the point
    """Give the report."""
    return REPORT


def raw_check(path: str) -> Any:  # noqa: ARG001 - the signature is the point
    """Give the report as named tuples, as one would by hand."""
    errors = [RawFinding(e.file, e.line, e.column, e.message, e.code) for e in REPORT.errors]
    return RawReport(errors, REPORT.success)


async def timed(action: Action) -> float:
    """Milliseconds of one action."""
    began = time.perf_counter()
    await action()
    return (time.perf_counter() - began) * 1000


async def by_turns(times: int, *actions: Action) -> list[float]:
    """The best of each action, taken in turns, in rounds until a later one brings nothing better."""
    best = [float("inf")] * len(actions)
    least, most = ROUNDS
    for turn in range(most):
        before = list(best)
        for _ in range(times):
            for index, action in enumerate(actions):
                best[index] = min(best[index], await timed(action))
        if turn >= least and all(new > 0.97 * old for new, old in zip(best, before, strict=True)):
            break
    return best


async def median_of(times: int, action: Action) -> float:
    """The median of an action, of the quietest of three rounds."""
    return min([statistics.median([await timed(action) for _ in range(times)]) for _ in range(3)])


async def measure() -> list[dict[str, Any]]:
    """All rows."""
    functions = ExternalFunctions([ping, check])
    numbers = itertools.count()
    async with (
        Sandbox(functions, limits=Limits(calls=10**6)) as sandbox,
        AsyncMonty(min_processes=2) as pool,
        pool.checkout(limits={"max_suspensions": 10**9}) as raw,
        pool.checkout(type_check=True, type_check_stubs=functions.stubs()) as checked,
    ):

        async def new_for_us() -> None:
            await sandbox.run(f"1 + {next(numbers)}")

        async def new_for_monty() -> None:
            await checked.feed_run(f"1 + {next(numbers)}")

        async def check_snippet() -> None:
            await sandbox.check(SNIPPET.format(number=next(numbers)))

        one = await by_turns(300, lambda: sandbox.run("1+1"), lambda: raw.feed_run("1+1"))
        new = await by_turns(100, new_for_us, new_for_monty)
        calls = await by_turns(
            30,
            lambda: sandbox.run(CALLS),
            lambda: raw.feed_run(AWAITED, external_lookup={"ping": ping}),
        )
        cross = await by_turns(
            30,
            lambda: sandbox.run(COUNT),
            lambda: raw.feed_run(COUNT, external_lookup={"check": raw_check}),
        )
        checks = await median_of(60, check_snippet)
    return [
        row("run of 1+1, warm (ms)", *one, most=2.0, packages=PACKAGES),
        row("a new snippet, checked and run (ms)", *new, most=3.0, packages=PACKAGES),
        row("100 host calls (ms)", *calls, most=2.0, packages=PACKAGES),
        row("a result of 1000 errors crosses (ms)", *cross, most=1.5, packages=PACKAGES),
        row(
            "check of a new 15-line snippet, median (ms, beside 40 ms)",
            checks,
            40.0,
            most=1.0,
            packages=PACKAGES,
        ),
    ]


if __name__ == "__main__":
    raise SystemExit(written(asyncio.run(measure()), out_of(__doc__)))
