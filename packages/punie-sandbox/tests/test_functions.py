"""Stubs: what the model is shown; registration: what can be offered at all."""

# ruff: noqa: E501 - signatures

import ast
import dataclasses
import datetime
import decimal
import enum
import inspect
import math
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import pytest
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeAliasType, TypedDict

from punie_sandbox import ExternalFunctions, RegistrationError, Sandbox
from punie_sandbox.testing import MemoryProject

AMBIENT = """\
import datetime, json, math, re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
"""


def test_stubs_declare_each_type_once_and_each_function_in_one_line() -> None:
    """behaviour: stubs.rendering."""
    assert MemoryProject().functions().stubs() == AMBIENT + (
        "\n"
        "@dataclass(frozen=True)\n"
        "class TypeCheckError:\n"
        "    file: str\n"
        "    line: int\n"
        "    message: str\n"
        "    severity: Literal['error', 'warning']\n"
        "    code: str | None\n"
        "\n"
        "@dataclass(frozen=True)\n"
        "class TypeCheckResult:\n"
        "    errors: list[TypeCheckError]\n"
        "    success: bool\n"
        "    error_count: int\n"
        "\n"
        "def read_file(path: str) -> str:\n"
        '    """Return the text of a file."""\n'
        "\n"
        "def write_file(path: str, content: str) -> None:\n"
        '    """Replace a file, or make it."""\n'
        "\n"
        "def list_files(folder: str = '') -> list[str]:\n"
        '    """List the paths below a folder."""\n'
        "\n"
        "def typecheck(path: str, strict: bool = False) -> TypeCheckResult:\n"
        '    """Type-check a file or folder."""\n'
        "\n"
        "def run_command(command: str) -> str:\n"
        '    """Run a command and return what it prints."""\n'
    )


def test_stubs_of_some_functions_hold_only_the_types_those_use() -> None:
    """behaviour: stubs.selection."""
    text = MemoryProject().functions().stubs(["read_file"])
    assert "TypeCheckResult" not in text
    assert "def read_file" in text
    assert "def write_file" not in text


def test_descriptions_are_shown_on_request() -> None:
    """behaviour: stubs.descriptions."""
    text = MemoryProject().functions().stubs(descriptions=True)
    assert 'class TypeCheckResult:\n    """What a type check found."""\n' in text
    assert "    file: str  # path of the file\n" in text


def test_functions_tell_their_name_signature_summary_and_effect() -> None:
    """behaviour: functions.iteration."""
    functions = MemoryProject().functions()
    assert [(f.name, f.signature, f.summary, f.effect) for f in functions] == [
        ("read_file", "def read_file(path: str) -> str", "Return the text of a file.", "read"),
        (
            "write_file",
            "def write_file(path: str, content: str) -> None",
            "Replace a file, or make it.",
            "write",
        ),
        (
            "list_files",
            "def list_files(folder: str = '') -> list[str]",
            "List the paths below a folder.",
            "read",
        ),
        (
            "typecheck",
            "def typecheck(path: str, strict: bool = False) -> TypeCheckResult",
            "Type-check a file or folder.",
            "read",
        ),
        (
            "run_command",
            "def run_command(command: str) -> str",
            "Run a command and return what it prints.",
            "execute",
        ),
    ]
    assert functions.names == ("read_file", "write_file", "list_files", "typecheck", "run_command")
    assert (len(functions), "typecheck" in functions, "nope" in functions) == (5, True, False)
    assert functions["typecheck"].parameters[1].default is False


def test_the_digest_changes_with_the_rendering_and_the_effects_only() -> None:
    """behaviour: functions.digest."""
    one, same = MemoryProject.sample().functions(), MemoryProject().functions()
    assert one.digest() == same.digest()
    assert one.digest() != one.select(["read_file"]).digest()
    other_effects = ExternalFunctions(one.functions, effects={"read_file": "write"}, hide=one.hide)
    assert one.digest() != other_effects.digest()


class Color(enum.Enum):
    """An enum of texts."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """An enum of numbers."""

    LOW = 1
    HIGH = 2


class Inner(BaseModel):
    """A model."""

    x: int


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A generic model."""

    items: list[T]


class Tree(BaseModel):
    """A model that holds itself."""

    name: str
    children: list["Tree"] = []


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    y: float = 0.0


class Pair(NamedTuple):
    """A named tuple."""

    left: str
    right: Inner


UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])


@pytest.mark.parametrize(
    ("annotation", "stub"),
    [
        (bool, "bool"),
        (int, "int"),
        (float, "float"),
        (str, "str"),
        (bytes, "bytes"),
        (None, "None"),
        (Any, "Any"),
        (object, "object"),
        (list, "list[Any]"),
        (list[int], "list[int]"),
        (dict[str, int], "dict[str, int]"),
        (dict, "dict[Any, Any]"),
        (set[int], "set[int]"),
        (frozenset[str], "frozenset[str]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[int, str], "tuple[int, str]"),
        (tuple[()], "tuple[()]"),
        (int | None, "int | None"),
        (int | str | None, "int | str | None"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Literal[Color.RED], "Literal['red']"),
        (Color, "Literal['red', 'blue']"),
        (Level, "Literal[1, 2]"),
        (pathlib.Path, "Path"),
        (pathlib.PurePosixPath, "Path"),
        (uuid.UUID, "str"),
        (datetime.datetime, "datetime.datetime"),
        (datetime.date, "datetime.date"),
        (datetime.time, "datetime.time"),
        (datetime.timedelta, "datetime.timedelta"),
        (decimal.Decimal, "Decimal"),
        (Annotated[int, Field(gt=0)], "int"),
        (UserId, "int"),
        (Names, "list[str]"),
        (Inner, "Inner"),
        (list[Inner], "list[Inner]"),
        (dict[str, list[Inner | None]], "dict[str, list[Inner | None]]"),
        (Page[Inner], "Page_Inner"),
        (Tree, "Tree"),
        (Point, "Point"),
        (Pair, "Pair"),
        (list[dict[str, int | None] | None], "list[dict[str, int | None] | None]"),
    ],
    ids=str,
)
def test_supported_types_have_one_form(annotation: Any, stub: str) -> None:
    """behaviour: types.supported."""

    def f() -> None: ...

    f.__annotations__["return"] = annotation
    assert ExternalFunctions([f])["f"].signature == f"def f() -> {stub}"


def test_a_path_parameter_takes_text_too() -> None:
    """behaviour: types.path-parameter."""

    def f(path: pathlib.Path, more: list[pathlib.Path] | None = None) -> pathlib.Path:
        return path

    signature = ExternalFunctions([f])["f"].signature
    assert signature == "def f(path: str | Path, more: list[str | Path] | None = None) -> Path"


class WithCallable(BaseModel):
    """A model with a field that has no form."""

    hook: Callable[[], None]


class Movie(TypedDict):
    """A typed dictionary."""

    title: str


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Callable[[], int], r"f\(\) parameter 'a': .*Callable.* has no form in the sandbox"),
        (complex, r"f\(\) parameter 'a': complex has no form"),
        (type, r"f\(\) parameter 'a': type has no form"),
        (Iterator[int], r"f\(\) parameter 'a': .*Iterator.* has no form"),
        (list[complex], r"f\(\) parameter 'a': complex has no form"),
        (WithCallable, r"f\(\) parameter 'a': .* \(field WithCallable\.hook\)"),
        (Movie, r"f\(\) parameter 'a': TypedDict Movie has no form in the sandbox; use a model"),
        (T, r"f\(\) parameter 'a': .*T.* has no form"),
        (inspect.Parameter, r"f\(\) parameter 'a': Parameter has no form"),
    ],
    ids=str,
)
def test_an_unsupported_type_is_refused_with_the_parameter_named(
    annotation: Any, message: str
) -> None:
    """behaviour: types.unsupported."""

    def f(a: Any) -> None: ...

    f.__annotations__["a"] = annotation
    with pytest.raises(RegistrationError, match=message):
        ExternalFunctions([f])


def test_missing_annotations_are_refused() -> None:
    """behaviour: types.unannotated."""

    def no_return(a: int): ...

    def no_parameter(a) -> None: ...

    with pytest.raises(RegistrationError, match=r"no_return\(\) has no return annotation"):
        ExternalFunctions([no_return])
    with pytest.raises(
        RegistrationError, match=r"no_parameter\(\) parameter 'a' has no annotation"
    ):
        ExternalFunctions([no_parameter])


def test_names_must_be_public_and_unique() -> None:
    """behaviour: functions.names."""

    def _private() -> None: ...

    def twice() -> None: ...

    with pytest.raises(RegistrationError, match="public name"):
        ExternalFunctions([_private])
    with pytest.raises(RegistrationError, match="public name"):
        ExternalFunctions([lambda: None])
    with pytest.raises(RegistrationError, match=r"two functions are named twice\(\)"):
        ExternalFunctions([twice, twice])


def test_names_of_python_itself_cannot_be_taken() -> None:
    """behaviour: functions.names."""

    def open(path: str) -> str:  # noqa: A001 - the name is what is tested
        return path

    def f() -> None: ...

    f.__annotations__["return"] = type("Path", (BaseModel,), {"__annotations__": {"x": int}})
    with pytest.raises(RegistrationError, match=r"open\(\) would hide what Python means by open"):
        ExternalFunctions([open])
    with pytest.raises(RegistrationError, match="the type Path would hide"):
        ExternalFunctions([f])


def test_an_unknown_effect_is_refused() -> None:
    """behaviour: functions.effects."""

    def f() -> None: ...

    with pytest.raises(RegistrationError, match="effect 'delete'"):
        ExternalFunctions([f], effects={"f": "delete"})  # ty: ignore[invalid-argument-type]
    assert ExternalFunctions([f], effects={"other": "write"})["f"].effect == "read"


def test_only_async_functions_can_be_awaited() -> None:
    """behaviour: functions.awaited."""

    def f() -> None: ...

    async def g() -> None: ...

    assert ExternalFunctions([g], awaited={"g"})["g"].signature == "async def g() -> None"
    assert ExternalFunctions([g])["g"].signature == "def g() -> None"
    with pytest.raises(RegistrationError, match="not async"):
        ExternalFunctions([f], awaited={"f"})
    with pytest.raises(RegistrationError, match="unknown functions: h"):
        ExternalFunctions([f], awaited={"h"})


def test_every_kind_of_parameter_has_its_place_in_the_signature() -> None:
    """behaviour: stubs.parameters."""

    def f(a: int, /, b: str, *rest: int, c: bool = True, **more: str) -> None: ...

    def g(a: int, *, b: Color = Color.RED, c: Inner | None = None, d: list[int] = [1]) -> None: ...  # noqa: B006

    made = ExternalFunctions([f, g])
    assert (
        made["f"].signature
        == "def f(a: int, /, b: str, *rest: int, c: bool = True, **more: str) -> None"
    )
    assert made["g"].signature == (
        "def g(a: int, *, b: Literal['red', 'blue'] = 'red', c: Inner | None = None, d: list[int] = ...) -> None"
    )


def test_hidden_fields_are_not_there() -> None:
    """behaviour: functions.hide."""

    def f() -> Inner:
        return Inner(x=1)

    def g() -> Tree:
        return Tree(name="root")

    assert "x: int" not in ExternalFunctions([f], hide={"x"}).stubs()
    assert "children" not in ExternalFunctions([g], hide={"Tree.children"}).stubs()
    assert "children" in ExternalFunctions([g], hide={"Other.children"}).stubs()


def test_two_classes_of_one_name_stay_apart() -> None:
    """behaviour: stubs.name-clash."""
    other = type("Inner", (BaseModel,), {"__annotations__": {"y": str}})

    def f() -> Inner:
        return Inner(x=1)

    def g() -> None: ...

    g.__annotations__["return"] = other
    made = ExternalFunctions([f, g])
    assert (made["f"].returns.stub, made["g"].returns.stub) == ("Inner", "Inner2")


def test_unknown_names_cannot_be_selected() -> None:
    """behaviour: functions.select."""
    functions = MemoryProject().functions()
    assert functions.select(["typecheck", "read_file"]).names == ("typecheck", "read_file")
    with pytest.raises(RegistrationError, match="unknown function: nope"):
        functions.select(["nope"])


NASTY = [
    'say "hi"',
    'a """ b',
    "back\\\\slash \\N{x} \\",
    "two\\nlines",
    "nul \x00 \x1b[1m",
    "odd \ud800",
    '"',
]


@pytest.mark.parametrize("text", NASTY)
async def test_whatever_a_docstring_says_it_stays_inside_the_stub(text: str) -> None:
    """behaviour: stubs.docstrings."""

    class Found(BaseModel):
        line: int = Field(description=text)

    def find(limit: float = math.inf) -> Found:
        return Found(line=1)

    Found.__doc__ = find.__doc__ = text
    functions = ExternalFunctions([find])
    ast.parse(functions.stubs(descriptions=True))
    async with Sandbox(functions) as sandbox:
        assert (await sandbox.run("find().line")).value == 1


@pytest.mark.parametrize("name", ["list", "str", "int"])
def test_a_type_cannot_take_a_name_that_stubs_are_made_of(name: str) -> None:
    """behaviour: functions.names."""

    def f() -> None: ...

    f.__annotations__["return"] = create_model(name, x=(int, ...))
    with pytest.raises(RegistrationError, match=f"type {name} would hide"):
        ExternalFunctions([f])


def test_names_of_this_package_are_not_for_functions() -> None:
    """behaviour: functions.names."""

    def punie_gate() -> None: ...

    with pytest.raises(RegistrationError, match="starts with none of _, punie_"):
        ExternalFunctions([punie_gate])
