"""The check before every run: findings with places and rewrites, and no false ones."""

# ruff: noqa: E501 - snippets

import time

import pytest

from punie_sandbox import (
    Diagnostic,
    ExternalFunctions,
    Sandbox,
    SandboxClosedError,
    Status,
    fields_read,
)
from punie_sandbox.testing import MemoryProject


async def test_nothing_runs_when_the_check_finds_something(
    sandbox: Sandbox, project: MemoryProject
) -> None:
    """behaviour: check.nothing-runs."""
    result = await sandbox.run("write_file('a', 'b')\ntypecheck('src').erors")
    assert (result.status, result.calls, "a" in project.files) == (Status.CHECK_FAILED, (), False)
    assert result.diagnostics == (
        Diagnostic(
            2,
            1,
            "unresolved-attribute",
            "Object of type `TypeCheckResult` has no attribute `erors`",
            "did you mean `.errors`? TypeCheckResult has .errors, .success, .error_count",
        ),
    )


async def test_check_alone_runs_nothing(sandbox: Sandbox, project: MemoryProject) -> None:
    """behaviour: check.nothing-runs."""
    assert await sandbox.check("write_file('a', 'b')") == ()
    assert "a" not in project.files
    assert sandbox.names == frozenset()


@pytest.mark.parametrize(
    ("code", "line", "rule", "hint"),
    [
        (
            "typecheck(1)",
            1,
            "invalid-argument-type",
            "def typecheck(path: str, strict: bool = False)",
        ),
        ("typecheck()", 1, "missing-argument", "def typecheck(path: str, strict: bool = False)"),
        ("typechek('a')", 1, "unresolved-reference", "the tool is called `typecheck`"),
        ("for e in typecheck('a'):\n    print(e)", 1, "not-iterable", "its list is `.errors`"),
        ("len(typecheck('a'))", 1, "invalid-argument-type", "its list is `.errors`"),
        ("typecheck('a')['errors']", 1, "not-subscriptable", "read attributes, not keys: .errors"),
        ("typecheck('a').errors[0].code.upper()", 1, "unresolved-attribute", "it can be None"),
        ("await typecheck('a')", 1, "invalid-await", "leave `await` out"),
        ("import subprocess", 1, "unresolved-import", "programs run only through the tools"),
        ("import numpy", 1, "unresolved-import", "these can be imported: asyncio, base64"),
        ("with open('f') as f:\n    pass", 1, "unresolved-reference", "only through the tools"),
        ("collections.Counter()", 1, "unresolved-reference", "add `import collections`"),
        (
            "x = 1\nread_file = 3",
            2,
            "shadows-tool",
            "choose another name, such as `read_file_result`",
        ),
        ("def typecheck(path): pass", 1, "shadows-tool", "choose another name"),
        ("import json as typecheck", 1, "shadows-tool", "choose another name"),
        ("for typecheck in []: pass", 1, "shadows-tool", "choose another name"),
        (
            "try:\n    pass\nexcept ValueError as typecheck:\n    pass",
            3,
            "shadows-tool",
            "choose another",
        ),
        (
            "def f():\n    global typecheck\n    typecheck = 1",
            3,
            "shadows-tool",
            "choose another name",
        ),
        ("match 1:\n    case typecheck: pass", 2, "shadows-tool", "choose another name"),
        ("if (typecheck := 3): pass", 1, "shadows-tool", "choose another name"),
        (
            "list(map(read_file, ['a']))",
            1,
            "tool-in-callback",
            "write `[read_file(x) for x in ['a']]`",
        ),
        (
            "list(map(lambda p: read_file(p).strip(), ps := ['a']))",
            1,
            "tool-in-callback",
            "write `[read_file(p).strip() for p in (ps := ['a'])]`",
        ),
        (
            "[*filter(lambda p: 'x' in read_file(p), ['a'])]",
            1,
            "tool-in-callback",
            "write `[p for p in ['a'] if 'x' in read_file(p)]`",
        ),
        (
            "sorted(['a'], key=lambda p: len(read_file(p)))",
            1,
            "tool-in-callback",
            "call the tool first",
        ),
        ("['a'].sort(key=read_file)", 1, "tool-in-callback", "call the tool first"),
        (
            "def size(p):\n    return len(read_file(p))\ndef twice(p):\n    return size(p) * 2\nmax('ab', key=twice)",
            5,
            "tool-in-callback",
            "call the tool first",
        ),
        (
            "next((x for x in [1] if x), None)",
            1,
            "next-of-generator",
            "write `next(iter([x for x in [1] if x]), None)`",
        ),
        ("sorted(['a'], key=str.lower)", 1, "unbound-method", "write `lambda x: x.lower()`"),
        (
            "re.sub('a', lambda m: 'b', 'a')",
            1,
            "callable-replacement",
            "loop over `re.finditer(...)`",
        ),
        ("raise ValueError('a', 1)", 1, "exception-arguments", "write `raise ValueError(f'a 1')`"),
        ("raise SystemExit(1)", 1, "exit", "let the code end"),
        (
            "class E(Exception): pass",
            1,
            "unsupported-syntax",
            "raise a built-in exception instead of E",
        ),
        ("class P(Base): pass", 1, "unsupported-syntax", "write `class P:` with all its methods"),
        ("def g():\n    yield 1", 2, "unsupported-syntax", "build a list"),
        ("d = {}\ndel d['k']", 2, "unsupported-syntax", "write `d.pop('k')`"),
        ("x = [1]\ndel x[0:1]", 2, "unsupported-syntax", "write `x[0:1] = []`"),
        ("x = 1\ndel x", 2, "unsupported-syntax", "write `x = None`"),
        (
            "class A:\n    @property\n    def x(self): return 1",
            2,
            "unsupported-syntax",
            "write a plain method",
        ),
        ("try:\n    pass\nexcept* ValueError:\n    pass", 1, "unsupported-syntax", "use `except`"),
        (
            "async def f():\n    async with g() as x: pass",
            2,
            "unsupported-syntax",
            "use a plain call",
        ),
        ("from __future__ import annotations", 1, "unsupported-syntax", "remove this line"),
        ("from math import *", 1, "unsupported-syntax", "name what is imported"),
        ("isinstance(3, TypeCheckResult)", 1, "type-only", "use it in annotations"),
        ("TypeCheckResult([], True, 0)", 1, "type-only", "results of tools have .errors"),
        (
            "class A:\n    def f(self):\n        global typecheck\n        typecheck = 1",
            4,
            "shadows-tool",
            "choose",
        ),
        (
            "def f():\n    global typecheck\n    import json as typecheck",
            3,
            "shadows-tool",
            "choose",
        ),
        ("def f():\n    global typecheck\n    def typecheck(): pass", 3, "shadows-tool", "choose"),
        ("[1 for x in [1] if (typecheck := x)]", 1, "shadows-tool", "choose another name"),
        ("def f(x=(typecheck := 1)): pass", 1, "shadows-tool", "choose another name"),
        ("exit(0)", 1, "exit", "let the code end"),
        ("list(Path('.').rglob('*.py'))", 1, "no-files", "list files with the tools"),
        (
            "class A:\n    def __len__(self): return 1",
            2,
            "unsupported-method",
            "write a plain method",
        ),
        (
            "class A:\n    def __lt__(self, o): return True",
            2,
            "unsupported-method",
            "sort with `key=`",
        ),
        ("from dataclasses import asdict", 1, "missing-name", "name the fields"),
        ("import dataclasses\ndataclasses.asdict(1)", 2, "missing-name", "name the fields"),
        ("from typing import cast", 1, "missing-name", "annotate the variable"),
        ("from datetime import UTC", 1, "missing-name", "timezone.utc"),
        ("list(map({'a': 1}.get, ['a']))", 1, "bound-method", "write `lambda x: {'a': 1}.get(x)`"),
        ("max('a', key={'a': 1}.get)", 1, "bound-method", "write `lambda x: {'a': 1}[x]`"),
        (
            "typecheck('a').errors[0].severity.value",
            1,
            "unresolved-attribute",
            "leave the attribute out",
        ),
        (
            "import asyncio\nasyncio.gather(typecheck('a'))",
            2,
            "no-matching-overload",
            "one after another",
        ),
    ],
)
async def test_what_models_get_wrong_has_a_place_and_a_rewrite(
    sandbox: Sandbox, code: str, line: int, rule: str, hint: str
) -> None:
    """behaviour: check.hints."""
    found = [d for d in await sandbox.check(code) if d.code == rule]
    assert found, await sandbox.check(code)
    assert found[0].line == line
    assert found[0].hint is not None
    assert hint in found[0].hint


@pytest.mark.parametrize(
    "code",
    [
        "def f(read_file):\n    return read_file\nf(1)",
        "[typecheck for typecheck in [1]]",
        "list(map(str, [read_file('README.md')]))",
        "any(read_file(p) for p in ['README.md'])",
        "def show(e: TypeCheckError) -> str:\n    return e.file\n[show(e) for e in typecheck('src').errors]",
        "x: TypeCheckResult = typecheck('src')\nx.success",
        "try:\n    read_file('x')\nexcept (FileNotFoundError, PermissionError) as e:\n    print(e)",
        "json.dumps([1]) + str(math.pi) + re.escape('a')",
        "Path('a') / 'b'",
        "import textwrap, difflib, fnmatch, statistics, heapq, string, operator",
        "dict.fromkeys(['a'], 1)",
        "str(list(map(int, ['1'])))",
        "getattr(typecheck('src'), 'success', None)",
        "class A:\n    read_file = 3\n    def typecheck(self): return [typecheck for typecheck in [1]]",
        "(lambda: (typecheck := 1))()",
        "from collections.abc import Callable, Iterable as I\ndef f(g: Callable[[int], int], x: I[int]) -> int: return g(1)\nf(abs, [])",
        "def f(list):\n    list.append(1)\n    return list\nf([])",
        "def f(x):\n    str = x\n    return str.upper()\nf('a')",
        "(lambda str: str.upper())('a')",
        "def wrong(what, n):\n    return ValueError(f'{what} {n}')\ntry:\n    raise wrong('a', 1)\nexcept ValueError:\n    pass",
        "import os\nlist(map(os.path.join, ['a'], ['b']))",
        "class H:\n    def get(self, x):\n        return x\nh = H()\nsorted([1], key=h.get)",
        "x = 1\nfrom textwrap import (\n    dedent,\n    fill as f,\n)",
    ],
)
async def test_good_code_has_no_finding_and_runs(sandbox: Sandbox, code: str) -> None:
    """behaviour: check.no-false-findings."""
    result = await sandbox.run(code)
    assert (result.status, result.diagnostics) == (Status.OK, ())


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("dict = {'a': 1}", "dict.get('a')"),
        ("import copy", "list(map(copy.copy, [[1]]))"),
        (
            "def wrong(a, b): return ValueError(a)",
            "try:\n    raise wrong('a', 1)\nexcept ValueError:\n    1",
        ),
    ],
)
async def test_what_earlier_code_gave_a_name_is_what_it_means(
    sandbox: Sandbox, before: str, code: str
) -> None:
    """behaviour: check.no-false-findings."""
    for each in (before, code):
        result = await sandbox.run(each)
        assert (result.status, result.diagnostics) == (Status.OK, ())


async def test_what_another_scope_gave_a_name_changes_nothing(sandbox: Sandbox) -> None:
    """behaviour: check.hints."""
    code = "def f(str):\n    return str\nsorted(['a'], key=str.lower)"
    assert [(d.line, d.code) for d in await sandbox.check(code)] == [(3, "unbound-method")]
    code = "def f(x):\n    return [str.upper() for str in x]"
    assert [(d.line, d.code) for d in await sandbox.check(code)] == [(2, "unbound-method")]


async def test_nothing_accumulates_from_one_snippet_to_the_next(sandbox: Sandbox) -> None:
    """behaviour: check.no-accumulation."""
    for code in (
        "d = {'a': 1}",
        "d = 5",
        "d + 1",
        "d = 'x'",
        "d.upper()",
        "def d(): return 1",
        "d()",
    ):
        assert (await sandbox.run(code)).status is Status.OK
    assert (await sandbox.run("1/0\nnever = 1")).status is Status.ERROR
    assert [d.code for d in await sandbox.check("never")] == ["unresolved-reference"]


async def test_a_function_of_an_earlier_run_that_calls_the_host_is_known(sandbox: Sandbox) -> None:
    """behaviour: check.earlier-functions."""
    await sandbox.run("def size(p):\n    return len(read_file(p))")
    assert [d.code for d in await sandbox.check("max(['a'], key=size)")] == ["tool-in-callback"]
    await sandbox.run("size = len")
    assert await sandbox.check("max(['a'], key=size)") == ()


async def test_a_forgotten_await_of_an_awaited_function_is_found() -> None:
    """behaviour: check.forgotten-await."""

    async def fetch(x: int) -> int:
        return x

    async with Sandbox(ExternalFunctions([fetch], awaited={"fetch"})) as sandbox:
        (found,) = await sandbox.check("fetch(1)")
    assert (found.code, found.hint) == ("unused-awaitable", "write `await` before the call")


@pytest.mark.parametrize(
    ("code", "column"),
    [
        ("print('é€😀', exit)", 14),
        ("print('é€😀', nope)", 14),
        ("x = 'é€😀'; y = [lambda: exit]", 25),
    ],
)
async def test_columns_are_characters_whatever_stands_before(
    sandbox: Sandbox, code: str, column: int
) -> None:
    """behaviour: check.syntax."""
    assert [(d.line, d.column) for d in await sandbox.check(code)] == [(1, column)]


async def test_a_false_finding_in_a_lambda_is_left_out_whatever_stands_before(
    sandbox: Sandbox,
) -> None:
    """behaviour: check.no-false-findings."""
    code = f"print('{'é' * 25}', reduce(lambda a, b: a + b, [1, 2]))"
    assert await sandbox.check(f"from functools import reduce\n{code}") == ()


async def test_syntax_errors_say_where(sandbox: Sandbox) -> None:
    """behaviour: check.syntax."""
    assert await sandbox.check("x = 1\nprint((x\ny = 2") == (
        Diagnostic(2, 7, "invalid-syntax", "'(' was never closed"),
    )


@pytest.mark.parametrize("code", ["", "\n\n", "# only a comment", '"""only a docstring"""', "pass"])
async def test_empty_code_is_fine(sandbox: Sandbox, code: str) -> None:
    """behaviour: check.empty."""
    assert (await sandbox.run(code)).status is Status.OK


@pytest.mark.parametrize(
    "code", ["\x00", "x = '\ud800'", "(" * 500, "1" * 5000, "é = 1\né", "x" * 100_000, "\r\n1\r\n"]
)
async def test_odd_text_is_answered_and_not_a_crash(sandbox: Sandbox, code: str) -> None:
    """behaviour: check.odd-text."""
    result = await sandbox.run(code)
    assert result.status in {Status.OK, Status.CHECK_FAILED, Status.ERROR}
    assert (await sandbox.run("1 + 1")).value == 2


async def test_a_diagnostic_reads_as_one_line_and_its_hint() -> None:
    """behaviour: check.rendering."""
    assert str(Diagnostic(2, 5, "rule", "what", "do this")) == "2:5: what [rule]\n  hint: do this"
    assert str(Diagnostic(2, 5, "rule", "what")) == "2:5: what [rule]"


async def test_outside_its_block_a_sandbox_says_so() -> None:
    """behaviour: sandbox.closed."""
    sandbox = Sandbox(ExternalFunctions([]))
    with pytest.raises(SandboxClosedError, match="async with"):
        await sandbox.run("1")
    with pytest.raises(SandboxClosedError, match="async with"):
        await sandbox.check("1")


def nested(begin: str, end: str) -> str:
    """What stands around itself many times, and around a long list."""
    return f"{begin * 60}[{'1,' * 90_000}]{end * 60}"


def deep_and_long() -> dict[str, str]:
    """Sources that are hard on whoever reads them, and the host reads every one."""
    return {
        "sum": "1+" * 100_000 + "1",
        "signs": "-" * 100_000 + "1",
        "parentheses": "(" * 10_000,
        "attributes": "a" + ".a" * 50_000,
        "calls": "f" + "()" * 900,
        "else if": "if x: pass\n" + "elif x: pass\n" * 5_000,
        "lambdas": "lambda:" * 5_000 + "1",
        "comparison": "1<" * 20_000 + "1",
        "key that cannot be printed": "sorted([], key=a" + ".b" * 500 + ".get)",
        "generator that cannot be printed": "next((x for x in a" + ".b" * 500 + "))",
        "exception that cannot be printed": "raise ValueError(1, a" + ".b" * 500 + ")",
        "too long": "x = 1\n" * 50_000,
        "calls that hold one another and much": nested("filter(read_file, ", ")"),
        "generators that hold one another and much": nested("next(x for x in ", ")"),
        "lambdas that hold one another and much": nested("lambda x: (x, ", ")"),
        "keys that hold one another and much": nested("sorted([], key=lambda x: (", "))"),
        "letters that are two bytes": "map(read_file, 'é')\n" * 5_000,
        "functions that call the next": "".join(f"def f{n}(): f{n + 1}()\n" for n in range(3_000)),
        "functions that call the next twice": "".join(
            f"def f{n}(x): return f{n + 1}(x) or f{n + 1}(x)\n" for n in range(40)
        )
        + "f0(typecheck('a'))",
    }


@pytest.mark.parametrize("name", deep_and_long())
async def test_code_that_is_hard_to_read_is_answered(sandbox: Sandbox, name: str) -> None:
    """behaviour: check.hard-to-read."""
    code = deep_and_long()[name]
    began = time.process_time()
    result = await sandbox.run(code)
    fields_read(code, sandbox.functions)
    assert time.process_time() - began < 20  # of the host; calls once took a minute to follow
    assert result.status in {Status.CHECK_FAILED, Status.ERROR, Status.OK}
    assert (await sandbox.run("1 + 1")).value == 2
