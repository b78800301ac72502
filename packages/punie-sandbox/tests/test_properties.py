"""Properties: values of generated models against their stubs, records, and generated programs."""

# ruff: noqa: E731 - what a value looks like is a small expression

import datetime
import enum
import json
import math
import pathlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from punie_sandbox import ExternalFunctions, Limits, RunResult, Sandbox, Status, Workers
from punie_sandbox.testing import MemoryProject


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Processes for all examples of a test: starting some for each takes most of the time."""
    async with Workers(sessions=1) as opened:
        yield opened


class Color(enum.Enum):
    """An enum of texts."""

    RED = "red"
    DARK_BLUE = "dark blue"


class Level(enum.IntEnum):
    """An enum of numbers."""

    LOW = 1
    HIGH = 20


@dataclass(frozen=True)
class Shape:
    """A type, values of it, and what a value must look like inside the sandbox, written as an expression."""

    annotation: Any
    values: st.SearchStrategy[Any]
    looks: Callable[[str], str]
    hashable: bool = True

    def __repr__(self) -> str:
        return f"Shape({self.annotation})"


def of_type(name: str) -> Callable[[str], str]:
    return lambda x: f"type({x}) is {name}"


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = [
    Shape(int, st.integers(), of_type("int")),
    Shape(bool, st.booleans(), of_type("bool")),
    Shape(str, TEXT, of_type("str")),
    Shape(float, st.floats(allow_nan=False), of_type("float")),
    Shape(bytes, st.binary(max_size=6), of_type("bytes")),
    Shape(None, st.none(), lambda x: f"{x} is None"),
    Shape(Color, st.sampled_from(Color), lambda x: f"{x} in ('red', 'dark blue')"),
    Shape(Level, st.sampled_from(Level), lambda x: f"type({x}) is int and {x} in (1, 20)"),
    Shape(Literal["a", 3], st.sampled_from(["a", 3]), lambda x: f"{x} in ('a', 3)"),
    Shape(
        pathlib.PurePosixPath,
        st.lists(st.text("abc.", min_size=1, max_size=4), max_size=3).map(
            lambda p: pathlib.PurePosixPath(*p)
        ),
        lambda x: f"isinstance({x}, Path)",
    ),
    Shape(uuid.UUID, st.uuids(), lambda x: f"len({x}) == 36"),
    Shape(datetime.date, st.dates(), lambda x: f"isinstance({x}, datetime.date)"),
    Shape(
        datetime.datetime,
        st.datetimes(timezones=st.sampled_from([None, datetime.UTC])),
        lambda x: f"isinstance({x}, datetime.datetime)",
    ),
    Shape(
        datetime.timedelta,
        st.timedeltas(datetime.timedelta(-999), datetime.timedelta(999)),
        lambda x: f"isinstance({x}, datetime.timedelta)",
    ),
    Shape(
        Decimal,
        st.decimals(allow_nan=False, allow_infinity=False, places=3),
        lambda x: f"isinstance({x}, Decimal)",
    ),
]


def containers(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    def listed(s: Shape) -> Shape:
        looks = lambda x: f"isinstance({x}, list) and all([{s.looks('i')} for i in {x}])"
        return Shape(list[s.annotation], st.lists(s.values, max_size=3), looks, hashable=False)

    def keyed(s: Shape) -> Shape:
        looks = lambda x: f"isinstance({x}, dict) and all([{s.looks('v')} for v in {x}.values()])"
        return Shape(
            dict[str, s.annotation],
            st.dictionaries(TEXT, s.values, max_size=3),
            looks,
            hashable=False,
        )

    def optional(s: Shape) -> Shape:
        looks = lambda x: f"({x} is None or {s.looks(x)})"
        return Shape(
            s.annotation | None if s.annotation else None, st.none() | s.values, looks, s.hashable
        )

    def many(s: Shape) -> Shape:
        looks = lambda x: f"isinstance({x}, tuple) and all([{s.looks('i')} for i in {x}])"
        values = st.lists(s.values, max_size=3).map(tuple)
        return Shape(tuple[s.annotation, ...], values, looks, s.hashable)

    def pair(both: tuple[Shape, Shape]) -> Shape:
        a, b = both
        looks = lambda x: f"len({x}) == 2 and {a.looks(f'{x}[0]')} and {b.looks(f'{x}[1]')}"
        values = st.tuples(a.values, b.values)
        return Shape(tuple[a.annotation, b.annotation], values, looks, a.hashable and b.hashable)

    return st.one_of(
        inner.map(listed),
        inner.map(keyed),
        inner.filter(lambda s: s.annotation is not None).map(optional),
        inner.map(many),
        st.tuples(inner, inner).map(pair),
        models(inner),
    )


NAMES = st.sampled_from(
    ["line", "path", "count", "index", "name", "kind", "items", "value", "data", "x"]
)


def models(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    def model(fields: dict[str, Shape], number: int) -> Shape:
        made: Any = create_model(
            f"Model{number}", **{n: (s.annotation, ...) for n, s in fields.items()}
        )  # ty: ignore[no-matching-overload]
        values = st.fixed_dictionaries({n: s.values for n, s in fields.items()}).map(
            lambda data: made(**data)
        )
        looks = lambda x: " and ".join(f"({s.looks(f'{x}.{n}')})" for n, s in fields.items())
        return Shape(made, values, looks, hashable=False)

    return st.builds(
        model, st.dictionaries(NAMES, inner, min_size=1, max_size=4), st.integers(0, 10**6)
    )


SHAPES = st.recursive(st.sampled_from(SCALARS), containers, max_leaves=6)


def equal(host: Any, seen: Any) -> bool:  # noqa: PLR0911 - one a kind
    """Whether what the sandbox saw is what the host has."""
    if isinstance(host, BaseModel):
        return all(
            equal(getattr(host, name), getattr(seen, name)) for name in type(host).model_fields
        )
    if isinstance(host, enum.Enum):
        return host.value == seen
    if isinstance(host, uuid.UUID):
        return str(host) == seen
    if isinstance(host, (list, tuple)):
        return type(host) is type(seen) and len(host) == len(seen) and all(map(equal, host, seen))
    if isinstance(host, dict):
        return host.keys() == seen.keys() and all(equal(host[key], seen[key]) for key in host)
    if isinstance(host, float) and math.isnan(host):
        return math.isnan(seen)
    return host == seen and type(host) is type(seen)


@given(st.data())
async def test_values_of_generated_models_fit_their_stubs_and_read_as_on_the_host(
    workers: Workers, data: st.DataObject
) -> None:
    """behaviour: properties.stubs-are-true."""
    shape = data.draw(models(SHAPES))
    value = data.draw(shape.values)

    async def get() -> Any:
        return value

    get.__annotations__["return"] = shape.annotation
    functions = ExternalFunctions([get])
    record = functions.records[functions["get"].returns.stub]
    lines = ["r = get()"]
    lines += [f"f{i}: {field.type.stub} = r.{field.name}" for i, field in enumerate(record.fields)]
    lines += [f"assert {shape.looks('r')}, 'does not look like its stub'", "r"]
    async with Sandbox(functions, workers=workers) as sandbox:
        result = await sandbox.run("\n".join(lines))
        assert result.status is Status.OK, (functions.stubs(), value, result)
        assert equal(value, result.value)
        trace = json.loads(json.dumps(result.to_json()))
        await sandbox.reset()
        again = await sandbox.replay(RunResult.from_json(trace))
    assert json.dumps(again.to_json()) == json.dumps(trace)


@given(st.data())
def test_a_recorded_result_is_the_result(data: st.DataObject) -> None:
    """behaviour: properties.records-are-true."""
    shape = data.draw(SHAPES)

    def get() -> Any: ...

    get.__annotations__["return"] = shape.annotation
    function = ExternalFunctions([get])["get"]
    lowered = function.lower_result(data.draw(shape.values))
    assert (
        function.decode_result(json.loads(json.dumps(function.encode_result(lowered)))) == lowered
    )


@given(st.data())
def test_an_argument_comes_back_as_the_host_value_it_was(data: st.DataObject) -> None:
    """behaviour: properties.arguments-are-true."""
    shape = data.draw(SHAPES)
    value = data.draw(shape.values)

    def take(value: Any) -> None: ...

    take.__annotations__["value"] = shape.annotation
    function = ExternalFunctions([take])["take"]
    lowered = function.parameters[0].type.down
    positional, _, _ = function.bind([lowered(value) if lowered else value], {})
    assert positional == [value]
    assert type(positional[0]) is type(value)


EXPRESSIONS = st.recursive(
    st.sampled_from(
        [
            "1",
            "x",
            "y",
            "'a'",
            "[]",
            "{}",
            "None",
            "r",
            "r.errors",
            "r.success",
            "2.5",
            "()",
            "b'z'",
            "f",
            "read_file",
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(["+", "*", "-", "/", "%", "**", "==", "<", "in", "and", "or"]),
            inner,
        ).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda e: f"[{e}]"),
        inner.map(lambda e: f"{{{e}: {e}}}"),
        inner.map(lambda e: f"str({e})"),
        inner.map(lambda e: f"len({e})"),
        inner.map(lambda e: f"read_file({e})"),
        inner.map(lambda e: f"[i for i in {e}]"),
        inner.map(lambda e: f"sorted({e}, key=lambda i: {e})"),
        inner.map(lambda e: f"f'{{{e}!r:>5}}'"),
        inner.map(lambda e: f"{e}[0]"),
        inner.map(lambda e: f"{e}.errors"),
        inner.map(lambda e: f"f({e})"),
        inner.map(lambda e: f"(lambda: {e})()"),
    ),
    max_leaves=8,
)
STATEMENTS = st.one_of(
    EXPRESSIONS,
    EXPRESSIONS.map(lambda e: f"x = {e}"),
    EXPRESSIONS.map(lambda e: f"y = {e}"),
    EXPRESSIONS.map(lambda e: f"print({e})"),
    EXPRESSIONS.map(lambda e: f"r = typecheck({e})"),
    EXPRESSIONS.map(lambda e: f"def f(a=1):\n    return {e}"),
    EXPRESSIONS.map(lambda e: f"for x in {e}:\n    y = x\n    print(x)"),
    EXPRESSIONS.map(lambda e: f"while {e}:\n    x = {e}"),
    EXPRESSIONS.map(lambda e: f"try:\n    {e}\nexcept Exception as x:\n    print(x)"),
    EXPRESSIONS.map(lambda e: f"if {e}:\n    raise ValueError(str({e}))"),
    EXPRESSIONS.map(lambda e: f"match {e}:\n    case [x, *y]: print(x)\n    case _: y = {e}"),
    EXPRESSIONS.map(lambda e: f"class C:\n    a = {e}\nx = C()"),
)
PRELUDE = "x, y = 1, 'b'\nr = typecheck('src')\ndef f(a=1):\n    return a"


@settings(max_examples=max(8, (settings.default or settings()).max_examples // 3))
@given(
    st.lists(st.lists(STATEMENTS, min_size=1, max_size=5).map("\n".join), min_size=1, max_size=4)
)
async def test_generated_programs_always_end_in_a_named_outcome(
    workers: Workers, programs: list[str]
) -> None:
    """behaviour: properties.programs."""
    project = MemoryProject.sample()
    files = project.snapshot()
    limits = Limits(seconds=0.05, memory=2**25, calls=20, stdout=2**14, wall_seconds=1, data=2**20)
    async with Sandbox(project.functions(), limits=limits, workers=workers) as sandbox:
        await sandbox.run(PRELUDE)
        for program in programs:
            result = await sandbox.run(program)
            assert isinstance(result.status, Status)
            json.dumps(result.to_json())
        await sandbox.reset()
        assert (await sandbox.run("1 + 1")).value == 2
    assert project.files == files


@given(st.text(max_size=60))
async def test_any_text_at_all_is_answered(workers: Workers, code: str) -> None:
    """behaviour: properties.any-text."""
    limits = Limits(seconds=0.2)
    async with Sandbox(ExternalFunctions([]), limits=limits, workers=workers) as sandbox:
        result = await sandbox.run(code)
        assert isinstance(result.status, Status)
        json.dumps(result.to_json())
