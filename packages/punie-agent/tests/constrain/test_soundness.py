"""No valid program is made impossible: generated programs that run, and programs that people wrote."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from punie_agent.constrain import ReplyCursor
from punie_agent.constrain._code import CodeCursor
from punie_agent.constrain._rules import Kind, Rules, Tool, as_bytes
from punie_agent.constrain._words import Words

Finding = make_dataclass("Finding", ["file", "line"], frozen=True)
Checked = make_dataclass("Checked", ["errors", "first", "count"], frozen=True)
Case = make_dataclass("Case", ["name", "line"], frozen=True)
Ran = make_dataclass("Ran", ["tests", "passed"], frozen=True)

RULES = Rules(
    tools={
        "check": Tool(("path",), returns=Kind("Checked")),
        "test": Tool(("path", "fast"), returns=Kind("Ran")),
    },
    models={
        "Checked": {
            "errors": Kind("Finding", listed=True),
            "first": Kind("Finding"),
            "count": None,
        },
        "Finding": {"file": None, "line": None},
        "Ran": {"tests": Kind("Case", listed=True), "passed": None},
        "Case": {"name": None, "line": None},
    },
    paths=Words(["a.py", "src/", "src"]),
    fresh=False,
    looped=True,
)


def _check(path: str) -> Any:
    found = [Finding("a.py", 1), Finding("b.py", 2)]
    return Checked(found, found[0], len(found))


def _test(path: str, fast: bool = False) -> Any:
    return Ran([Case("one", 3)], 1)


NAMES = ["r", "e", "x", "path", "check_it"]
LOOPING = [name for name in NAMES if name != "path"]  # a loop by `path` goes through paths
ATTRIBUTES = ["errors", "first", "count", "file", "line", "tests", "passed", "name"]
PATHS = ['"a.py"', "'src/'", '"src"']
TEXTS = [
    '"x"',
    "''",
    '""',
    "'''a\n\"'\n```\n'''",
    'r"\\"',
    '"\\""',
    "b'x'",
    '"" "y"',
    '"#{"',
    "f''",
]
LEAVES = ["1", "2.5", "None", "[]", "{}", "()", *NAMES, *TEXTS]
CALLS = [
    "check(PATH)",
    "check(path=PATH)",
    "test(PATH, fast=True)",
    "test(\n    PATH,  # (all\n    False,\n)",
    "test(*['a.py'])",
    "check(NAME)",
]
# In a form, capital words stand for something drawn: an expression, a name, a block of statements.
EXPRESSIONS = [
    "EXPR.ATTR",
    "EXPR.ATTR",
    "EXPR[0]",
    "EXPR[:1]",
    "(EXPR or EXPR)",
    "EXPR == EXPR",
    "[EXPR, EXPR]",
    "[EXPR for NAME in EXPR if EXPR]",
    "{EXPR: EXPR for NAME in EXPR}",
    "list(EXPR for NAME in EXPR)",
    "[NAME.ATTR for NAME in EXPR]",
    "sorted(EXPR, key=lambda NAME: EXPR)",
    "len(EXPR)",
    "print(EXPR, EXPR, sep=TEXT)",
    "(EXPR if EXPR else EXPR)",
    "[NAME := EXPR, EXPR]",
    'f"{{NAME}}: {NAME.ATTR!r:>{len([])}}"',
    "f'{NAME}{NAME=}{1:{2}}'",
]
STATEMENTS = [
    "NAME = EXPR",
    "NAME = CALL",
    "NAME = CALL.ATTR",
    "NAME = EXPR; EXPR",
    "NAME, NAME = EXPR, EXPR",
    "(NAME, NAME) = EXPR, EXPR",
    "NAME: object = EXPR",
    "print(EXPR)",
    "EXPR  # it's NAME",
    "NAME = EXPR \\\n    or EXPR",
    '"""Words.\n```\nmore\n"""',
    "if EXPR: NAME = EXPR",
    "if EXPR:\nBLOCK\nelse:\nBLOCK",
    "for LOOP in EXPR:\nBLOCK",
    "for NAME in CALL.errors:\n    print(f'{NAME.file}:{NAME.line}')\nBLOCK",
    'for path in ["a.py", PATH]:\nBLOCK',
    "def g(NAME):\nBLOCK",
    "try:\n    {}[1]\nexcept KeyError as NAME:\nBLOCK",
    "match EXPR:\n    case [NAME]:\n        NAME = EXPR\n    case NAME:\n        EXPR",
]
PART = re.compile("EXPR|NAME|LOOP|ATTR|PATH|TEXT|CALL|BLOCK")


@st.composite
def _filled(draw: st.DrawFn, form: str, depth: int) -> str:
    """A form with something drawn for each of its capital words."""

    def part(match: re.Match[str]) -> str:
        kind = match[0]
        if kind == "BLOCK":
            count = draw(st.integers(1, 2))
            lines = "\n".join(draw(_drawn(STATEMENTS, depth + 2)) for _ in range(count))
            return "\n".join(f"    {line}" for line in lines.split("\n"))
        if kind == "EXPR":
            deeper = draw(st.integers(0, 3)) > depth
            return draw(_drawn(EXPRESSIONS if deeper else [*LEAVES, *CALLS], depth + 1))
        named = {"NAME": NAMES, "LOOP": LOOPING, "ATTR": ATTRIBUTES, "PATH": PATHS, "TEXT": TEXTS}
        return draw(_drawn(CALLS, depth) if kind == "CALL" else st.sampled_from(named[kind]))

    return PART.sub(part, form)


def _drawn(forms: list[str], depth: int) -> st.SearchStrategy[str]:
    return st.sampled_from(forms).flatmap(lambda form: _filled(form, depth))


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A program that runs: of the statements drawn, those after which it still does."""
    program = draw(st.sampled_from(["e = 1", 'r = check("a.py")\ne = r.errors[0]', "r = e = 2"]))
    for _ in range(draw(st.integers(1, 8))):
        longer = f"{program}\n{draw(_drawn(STATEMENTS, 0))}"
        program = longer if runs(longer) else program
    return program


class _Marked(ast.NodeTransformer):
    """Reports each name and attribute that a program reads, function bodies left out, when it is read."""

    def __init__(self) -> None:
        self.marks = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._marked(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        return self._marked(node)

    def _marked(self, node: ast.Name | ast.Attribute) -> ast.expr:
        if not isinstance(node.ctx, ast.Load):
            return node
        self.marks += 1
        function = ast.Name(_READ, ast.Load())
        return ast.copy_location(ast.Call(function, [ast.Constant(self.marks), node], []), node)


_READ = "reported as read"


def runs(program: str) -> bool:
    """Whether a program ends without an error, and used each of its names and attributes on the way.

    What was never reached proves nothing: it may be wrong. Function bodies are exempt, as they are in the
    cursor.
    """
    read: set[int] = set()

    def report(mark: int, value: Any) -> Any:
        read.add(mark)
        return value

    names: dict[str, Any] = {"check": _check, "test": _test, "x": [], "path": "a.py", "check_it": 1}
    marked = _Marked()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            tree = ast.fix_missing_locations(marked.visit(ast.parse(program)))
            # The grammar above is all it can do.
            exec(compile(tree, "program", "exec"), names | {_READ: report})
        except Exception:  # noqa: BLE001 - whatever it was, the program is no example
            return False
    return len(read) == marked.marks


def refused(program: str, rules: Rules = RULES) -> str:
    """What is written when the cursor says no; "" when it never does."""
    cursor = ReplyCursor(rules, frozenset({"x", "path", "check_it"}))
    reply = f"Words.\n```python\n{program}\n```\n"
    for number, char in enumerate(reply):
        if not cursor.advance(char):
            return reply[: number + 1]
    return "" if cursor.free and cursor.may_end else f"{reply} (not complete)"


@given(programs())
@example('r = check("a.py")\nprint([r.name for r in test("src").tests])')
@example('r = check("a.py")\nx = (r := test("a.py"))\nr.passed')
@example('r = check("a.py")\nlist(r.line for r in r.errors)')
@example(
    'for e in check("a.py").errors:\n    print(f"{e.file}:{e.line}")\nfor e in test("src").tests:\n    e.name'
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_program_that_runs_can_be_written(program: str) -> None:
    assert runs(program)
    assert refused(program) == ""


@given(programs(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_copy_goes_on_by_itself_and_leaves_the_cursor_where_it_was(
    program: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(program)))
    cursor = CodeCursor(RULES)
    if not all(cursor.step(char) for char in program[:cut]):
        return
    ahead = [cursor.copy() for _ in range(2)]
    for char in 'x"])}':
        ahead[0].step(char)
    rest = program[cut:]
    assert [cursor.step(char) for char in rest] == [ahead[1].step(char) for char in rest]


def modules() -> Iterator[Path]:
    """The smaller modules of the standard library."""
    found = sorted(Path(os.__file__).parent.glob("*.py"))
    return (path for path in found if path.stat().st_size < 12_000)


def test_the_standard_library_can_be_written() -> None:
    count = 0
    for path in modules():
        with tokenize.open(path) as file:
            text = as_bytes(file.read())
        cursor = CodeCursor(Rules({}, {}))
        for number, char in enumerate(text):
            assert cursor.step(char), f"{path}: {text[max(0, number - 80) : number + 1]!r}"
        assert cursor.complete, path
        count += 1
    assert count > 30


SNIPPETS = Path(__file__).parents[3] / "punie-sandbox" / "tests" / "data" / "snippets.txt"


@pytest.mark.skipif(
    not SNIPPETS.is_file(), reason="the sandbox's corpus is not beside this package"
)
def test_the_corpus_of_model_written_programs_can_be_written() -> None:
    """Its tools have other parameters and fields; only what the language allows is held against it."""
    bare = Rules({}, {})
    for part in SNIPPETS.read_text(encoding="utf-8").split("=== ")[1:]:
        _, _, text = part.partition("\n")
        for code in text.split("--- applied\n"):
            assert refused(code.strip("\n"), bare) == ""
