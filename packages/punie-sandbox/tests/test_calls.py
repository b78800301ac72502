"""Values on their way: arguments to the host, results to the code, each validated."""

# ruff: noqa: E501 - snippets

import asyncio
import datetime
import decimal
import enum
import json
import pathlib
import time
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, computed_field

from punie_sandbox import (
    Call,
    Decision,
    ExternalFunctions,
    Limits,
    RunResult,
    Sandbox,
    Status,
    allow,
    deny,
)
from punie_sandbox.testing import MemoryProject, TypeCheckError


class Color(enum.StrEnum):
    """An enum."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """An enum of numbers."""

    LOW = 1


class Box(BaseModel):
    """One field of each kind."""

    color: Color
    path: pathlib.Path
    made: datetime.datetime | None = None
    id: uuid.UUID = uuid.UUID(int=7)
    price: decimal.Decimal = decimal.Decimal("1.50")
    tags: set[str] = {"a"}

    @computed_field
    @property
    def label(self) -> str:
        """A computed field."""
        return f"{self.color.value}:{self.path.name}"


async def run(functions: list[Any], code: str, **options: Any) -> Any:
    """The value of a snippet that must run to its end."""
    async with Sandbox(ExternalFunctions(functions, **options)) as sandbox:
        result = await sandbox.run(code)
    assert result.status is Status.OK, (result.diagnostics, result.error)
    return result.value


async def test_results_are_read_by_attribute(sandbox: Sandbox) -> None:
    """behaviour: values.attributes."""
    result = await sandbox.run(
        "found = typecheck('src')\n"
        "worst = sorted(found.errors, key=lambda e: (-e.line, e.file))\n"
        "[f'{e.file}:{e.line} {e.severity} {e.message!r}' for e in worst if e.code == 'assignment']"
    )
    assert result.value == [
        "src/app.py:5 error 'expected int, got str'",
        "src/models.py:2 error 'expected int'",
        "src/models.py:1 error 'expected str'",
    ]


async def test_computed_fields_are_there_and_hidden_ones_are_not(sandbox: Sandbox) -> None:
    """behaviour: values.computed-and-hidden."""
    assert (
        await sandbox.run("(typecheck('src').success, typecheck('src').error_count)")
    ).value == (False, 3)
    assert [d.code for d in await sandbox.check("typecheck('src').run")] == ["unresolved-attribute"]
    late = await sandbox.run("r = typecheck('src')\ngetattr(r, 'run')")
    assert late.error is not None
    assert late.error.type == "AttributeError"


async def test_results_cannot_be_changed(sandbox: Sandbox) -> None:
    """behaviour: values.immutable."""
    (found,) = await sandbox.check("r = typecheck('src')\nr.success = True")
    assert (found.line, found.code) == (2, "invalid-assignment")
    assert found.hint == "results cannot be changed; assign to a variable"
    late = await sandbox.run("r = typecheck('src')\nsetattr(r, 'success', True)")
    assert late.error is not None
    assert late.error.type == "AttributeError"


async def test_every_kind_of_field_reads_as_its_stub_says() -> None:
    """behaviour: values.kinds."""

    def box() -> Box:
        made = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
        return Box(color=Color.RED, path=pathlib.Path("a/b.txt"), made=made)

    value = await run(
        [box],
        "b = box()\n"
        "(b.color, b.path.name, b.made.year if b.made else 0, b.id, b.price + 1, 'a' in b.tags, b.label)",
    )
    assert value == (
        "red",
        "b.txt",
        2026,
        "00000000-0000-0000-0000-000000000007",
        decimal.Decimal("2.50"),
        True,
        "red:b.txt",
    )


async def test_arguments_reach_the_host_as_the_types_it_declares() -> None:
    """behaviour: arguments.types."""
    got: list[Any] = []

    def take(
        path: pathlib.Path,
        color: Color,
        when: datetime.date,
        ident: uuid.UUID,
        many: list[pathlib.Path],
    ) -> None:
        got.extend([path, color, when, ident, many])

    ident = uuid.UUID(int=9)
    await run(
        [take],
        f"take('a', 'blue', datetime.date(2026, 1, 2), '{ident}', ['x', Path('y')])",
    )
    assert got == [
        pathlib.Path("a"),
        Color.BLUE,
        datetime.date(2026, 1, 2),
        ident,
        [pathlib.Path("x"), pathlib.Path("y")],
    ]
    assert type(got[1]) is Color


async def test_a_result_can_be_passed_back_as_an_argument() -> None:
    """behaviour: arguments.models."""

    def find() -> list[TypeCheckError]:
        return [TypeCheckError(file="a", line=3, message="m")]

    def show(error: TypeCheckError) -> str:
        assert type(error) is TypeCheckError
        return f"{error.file}:{error.line}"

    assert await run([find, show], "[show(e) for e in find()]") == ["a:3"]


async def test_keywords_defaults_and_variable_arguments_bind_as_in_python() -> None:
    """behaviour: arguments.binding."""

    def f(a: int, /, b: str = "b", *rest: int, c: bool = False, **more: str) -> list[Any]:
        return [a, b, rest, c, more]

    code = "(f(1), f(1, b='x'), f(1, 'x', 2, 3), f(1, c=True), f(1, d='d', b='y'))"
    assert await run([f], code) == (
        [1, "b", (), False, {}],
        [1, "x", (), False, {}],
        [1, "x", (2, 3), False, {}],
        [1, "b", (), True, {}],
        [1, "y", (), False, {"d": "d"}],
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("f(json.loads('\"3\"'))", "argument 'a' must be int: Input should be a valid integer"),
        ("f(json.loads('null'))", "argument 'a' must be int"),
        ("f(json.loads('1.5'))", "argument 'a' must be int"),
        ("f(json.loads('true'))", "argument 'a' must be int"),
        ("f(1, json.loads('[1, \"x\"]'))", "argument 'b'[1] must be list[int]"),
        ("f(*json.loads('[]'))", "missing required argument: 'a'"),
        ("f(*json.loads('[1, [], 3]'))", "takes 2 positional arguments but 3 were given"),
        ("f(1, **json.loads('{\"z\": 1}'))", "unexpected keyword argument 'z'"),
        ("f(1, **json.loads('{\"a\": 1}'))", "multiple values for argument 'a'"),
    ],
)
async def test_wrong_arguments_are_type_errors_in_the_code(call: str, message: str) -> None:
    """behaviour: arguments.validated."""
    reached: list[int] = []

    def f(a: int, b: list[int] | None = None) -> None:
        reached.append(a)

    async with Sandbox(ExternalFunctions([f])) as sandbox:
        result = await sandbox.run(f"try:\n    {call}\nexcept TypeError as e:\n    print(e)")
    assert result.status is Status.OK, result
    assert message in result.stdout
    assert reached == []
    assert result.calls[0].decision == "invalid"


async def test_records_hold_arguments_by_name_without_defaults(sandbox: Sandbox) -> None:
    """behaviour: records.arguments."""
    code = (
        "typecheck('src', False)\n"
        "typecheck(path='src')\n"
        "typecheck(strict=True, path='src')\n"
        "list_files()\n"
        "list_files('')\n"
    )
    result = await sandbox.run(code)
    assert [dict(call.arguments) for call in result.calls] == [
        {"path": "src"},
        {"path": "src"},
        {"path": "src", "strict": True},
        {},
        {},
    ]


async def test_records_hold_results_errors_effects_and_decisions(project: MemoryProject) -> None:
    """behaviour: records.outcomes."""

    def policy(call: Call) -> Decision:
        return deny("read only") if call.effect == "write" else allow

    code = (
        "for attempt in [lambda: read_file('README.md'), lambda: read_file('x'), lambda: write_file('a', 'b')]:\n"
        "    try:\n"
        "        attempt()\n"
        "    except OSError:\n"
        "        pass\n"
    )
    async with Sandbox(project.functions(), policy=policy) as sandbox:
        result = await sandbox.run(code)
    assert [(c.name, c.result, c.error, c.effect, c.decision) for c in result.calls] == [
        ("read_file", "# Sample\n", None, "read", "allow"),
        ("read_file", None, "FileNotFoundError: no such file: x", "read", "allow"),
        ("write_file", None, "PermissionError: read only", "write", "deny"),
    ]
    assert all(c.duration >= 0 for c in result.calls)


async def test_a_policy_may_be_async_and_its_waiting_is_not_counted(project: MemoryProject) -> None:
    """behaviour: policy.async."""
    seen: list[Call] = []

    async def policy(call: Call) -> Decision:
        seen.append(call)
        answered = asyncio.Event()
        asyncio.get_running_loop().call_later(1, answered.set)
        await answered.wait()
        return allow

    async with Sandbox(project.functions(), policy=policy) as sandbox:
        result = await sandbox.run("typecheck('src', strict=True).success")
    assert result.status is Status.OK
    assert seen == [Call(1, "typecheck", {"path": "src", "strict": True}, "read")]
    assert result.duration < 1


async def test_awaited_functions_run_concurrently() -> None:
    """behaviour: host.concurrent."""
    started: list[int] = []
    all_started = asyncio.Event()

    async def fetch(number: int) -> int:
        started.append(number)
        if len(started) == 3:
            all_started.set()
        await all_started.wait()
        return number * 10

    async with Sandbox(ExternalFunctions([fetch], awaited={"fetch"})) as sandbox:
        result = await sandbox.run(
            "import asyncio\nawait asyncio.gather(fetch(1), fetch(2), fetch(3))"
        )
    assert (result.status, result.value) == (Status.OK, [10, 20, 30])


async def test_an_awaited_call_that_raises_can_be_caught() -> None:
    """behaviour: host.concurrent-errors."""

    async def fetch(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    code = (
        "import asyncio\n"
        "async def safe(n):\n"
        "    try:\n"
        "        return await fetch(n)\n"
        "    except ValueError as e:\n"
        "        return -1\n"
        "await asyncio.gather(safe(1), safe(2), safe(3))\n"
    )
    async with Sandbox(ExternalFunctions([fetch], awaited={"fetch"})) as sandbox:
        result = await sandbox.run(code)
    assert result.value == [1, -1, 3]


async def test_host_functions_can_be_passed_around_in_the_code(sandbox: Sandbox) -> None:
    """behaviour: host.first-class."""
    code = (
        "from functools import partial\n"
        "def apply(f, *args):\n    return f(*args)\n"
        "check = typecheck\n"
        "readme = partial(read_file, 'README.md')\n"
        "(apply(check, 'src').error_count, readme(), [f('README.md') for f in [read_file]])"
    )
    assert (await sandbox.run(code)).value == (3, "# Sample\n", ["# Sample\n"])


async def test_the_host_object_is_never_changed_by_the_code() -> None:
    """behaviour: values.host-untouched."""
    held = {"list": [1, 2], "nested": {"a": [3]}}

    def get() -> dict[str, Any]:
        return held

    await run([get], "d = get()\nd['list'].append(9)\nd['nested']['a'].clear()\nd['new'] = 1")
    assert held == {"list": [1, 2], "nested": {"a": [3]}}


class Point(NamedTuple):
    """A host type whose constructor takes anything."""

    x: int
    y: int


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("paths", "'ab'"),
        ("names", "'ab'"),
        ("names", "['a']"),
        ("pair", "'ab'"),
        ("table", "[('a', 'b')]"),
        ("color", "3"),
        ("color", "'green'"),
        ("level", "True"),
        ("point", "Point('a', None)"),
        ("point", "(1, 2)"),
        ("point", "Other(1, 2)"),
        ("error", "TypeCheckError('f', '3', 'm', 'error', None)"),
        ("error", "TypeCheckError('f', 3)"),
        ("number", "10 ** 5000"),
    ],
)
async def test_what_the_code_makes_up_is_no_argument(
    function: str, value: str, unchecked: Any
) -> None:
    """behaviour: arguments.forged."""
    reached: list[Any] = []

    def paths(x: list[pathlib.Path]) -> None:
        reached.append(x)

    def names(x: set[str]) -> None:
        reached.append(x)

    def pair(x: tuple[str, str]) -> None:
        reached.append(x)

    def table(x: dict[str, pathlib.Path]) -> None:
        reached.append(x)

    def color(x: Color) -> None:
        reached.append(x)

    def level(x: Level) -> None:
        reached.append(x)

    def point(x: Point) -> None:
        reached.append(x)

    def error(x: TypeCheckError) -> None:
        reached.append(x)

    def number(x: int) -> None:
        reached.append(x)

    functions = ExternalFunctions([paths, names, pair, table, color, level, point, error, number])
    made = (
        "from collections import namedtuple\n"
        "Point = namedtuple('Point', ['x', 'y'])\n"
        "Other = namedtuple('Other', ['x', 'y'])\n"
        f"TypeCheckError = namedtuple('TypeCheckError', {['file', 'line', 'message', 'severity', 'code'][: 2 if value.count(',') == 1 else 5]})\n"
        f"f = {function}\n"
        "try:\n"
        f"    f({value})\n"
        "except (TypeError, ValueError) as e:\n"
        "    print(e)\n"
    )
    async with Sandbox(functions) as sandbox:
        result = await unchecked(sandbox, made)
    assert result.status is Status.OK, result
    assert result.stdout != ""
    assert reached == []
    assert result.calls[0].decision == "invalid"


async def test_any_iterable_reaches_the_host_whole() -> None:
    """behaviour: arguments.types."""
    got: list[list[int]] = []

    def take(numbers: Iterable[int]) -> None:
        got.append(list(numbers))

    await run([take], "take([1, 2])")
    assert got == [[1, 2]]


def test_a_decision_that_is_none_does_not_pass_as_consent() -> None:
    """behaviour: policy.decisions."""
    misspelt: Any = "denied"
    with pytest.raises(ValueError, match="allow, deny or ask, not 'denied'"):
        Decision(misspelt)


async def test_the_time_a_policy_takes_is_not_counted(project: MemoryProject) -> None:
    """behaviour: policy.blocking."""

    def policy(_: Call) -> Decision:
        time.sleep(1.2)  # a prompt that blocks
        return allow

    limits = Limits(wall_seconds=1)
    async with Sandbox(project.functions(), policy=policy, limits=limits) as sandbox:
        result = await sandbox.run("read_file('README.md')")
    assert result.status is Status.OK
    assert result.duration < 1


async def test_an_integer_of_thousands_of_digits_is_a_value_and_json() -> None:
    """behaviour: records.long-integers."""
    async with Sandbox(ExternalFunctions([])) as sandbox:
        result = await sandbox.run("[10 ** 5000, -(10 ** 5000)]")
    data = json.loads(json.dumps(result.to_json()))
    assert RunResult.from_json(data).value == [10**5000, -(10**5000)]
