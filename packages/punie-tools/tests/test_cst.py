"""LibCST: find, rename by scope, add imports; formatting and comments stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import CstMatch, Toolbox, ToolResult

SOURCE = '''"""Doc."""
from __future__ import annotations

import os  # keep me
from lib import helper


def load(path,  default=None):
    """Load."""
    if default == None:
        print( path, "x" )
    return helper(path)


class Loader:
    load = 1

    def run(self, load):
        return load, self.load


def main():
    return load("a"), Loader.load, "load"

__all__ = ["load", 'main']
'''


@pytest.fixture
def file(root: Path) -> Path:
    path = root / "a.py"
    path.write_text(SOURCE)
    return path


def read(file: Path) -> str:
    return file.read_text()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("FunctionDef", [8, 18, 22]),
        ("ClassDef", [15]),
        ("print(...)", [11]),
        ("print(path, 'x')", [11]),
        ("print(path)", []),
        ("... == None", [10]),
        ("load(...)", [23]),
        ("helper(...)", [12]),
        ("...(path, ...)", [11, 12]),
        ("self.load", [19]),
        ("Yield", []),
    ],
)
async def test_a_pattern_finds_syntax_and_not_text(
    toolbox: Toolbox, file: Path, pattern: str, found: list[int]
) -> None:
    result = await toolbox.cst_find_pattern("a.py", pattern)
    assert (result.status, [each.line for each in result.matches]) == ("clean", found)
    assert result.match_count == len(found)


async def test_a_match_has_its_place_in_code_points(toolbox: Toolbox, root: Path) -> None:
    (root / "b.py").write_text('x = "😀"; y = f( 1,\n  2)\n')
    result = await toolbox.cst_find_pattern("b.py", "f(1, 2)")
    assert result.matches == [CstMatch(line=1, column=14, code="f( 1,")]


async def test_a_rename_follows_the_scope(toolbox: Toolbox, file: Path) -> None:
    result = await toolbox.cst_rename("a.py", "load", "fetch")
    assert (result.status, result.rename_count) == ("clean", 3)
    changed = SOURCE.replace("def load(path", "def fetch(path").replace(
        'return load("a")', 'return fetch("a")'
    )
    assert read(file) == changed.replace('["load",', '["fetch",')


async def test_an_import_is_renamed_by_an_alias(toolbox: Toolbox, file: Path) -> None:
    result = await toolbox.cst_rename("a.py", "helper", "aid")
    assert result.rename_count == 2
    text = read(file)
    assert "from lib import helper as aid" in text
    assert "return aid(path)" in text


async def test_a_global_statement_is_renamed_too(toolbox: Toolbox, root: Path) -> None:
    (root / "g.py").write_text("n = 0\ndef up():\n    global n\n    n += 1\n")
    assert (await toolbox.cst_rename("g.py", "n", "count")).rename_count >= 3
    assert (root / "g.py").read_text() == (
        "count = 0\ndef up():\n    global count\n    count += 1\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        ("nothing", "x", "nothing_checked", "defines no nothing"),
        ("load", "class", "tool_error", "not a name that Python allows"),
        ("load", "main", "tool_error", "main is already defined"),
        ("self", "x", "clean", None),
    ],
)
async def test_a_rename_that_cannot_be_right_changes_nothing(
    toolbox: Toolbox, file: Path, old: str, new: str, status: str, said: str | None
) -> None:
    result = await toolbox.cst_rename("a.py", old, new)
    assert result.status == status
    if said is not None:
        assert said in (result.parse_error or "")
        assert read(file) == SOURCE


CAPTURES = [
    ("a = 1\ndef f(b):\n    return a + b\n", "a", "b", "line 3: b is something else where a"),
    ("a = 1\ndef f():\n    b = 2\n    return lambda: a\n", "a", "b", "b is something else where"),
    ("y = 10\ndef f(x):\n    return x + y\n", "x", "y", "line 3: y is read, and would be what x"),
    ("def f(x):\n    return len(x)\n", "x", "len", "len is read"),
    ("a = 1\nclass C:\n    c = b\n    b = 2\n", "a", "b", "b is read"),
    ("a = 1\nx: 'list[b]' = []\n", "a", "b", "b is read"),
    ("def f(n):\n    return f(n - 1)\n", "f", "n", "n is something else where f"),
    ("a = 1\nclass C:\n    def m(self): return a\n", "a", "__b", "line 3: __b means another name"),
    ("class C:\n    def __a(self): return self.__a\n", "__a", "b", "__a means another name"),
]
CALLS = [
    "@traced\ndef f(old): return old\nf(old=1)\n",
    "def f(old, **more): return old\nf(1, new=2)\n",
    "def f(old): return old\ng = f\ng(old=1)\n",
    "from functools import partial\ndef f(old): return old\npartial(f, old=1)\n",
    "class C:\n    def m(self, old): return old\nC().m(old=1)\n",
    "class C:\n    def __init__(self, old): self.x = old\nC(old=1)\n",
    "f = lambda old: old\nf(old=1)\n",
]
UNFOLLOWED = [
    "old = 1\nmatch x:\n    case [old]: pass\n",
    "old = 1\nmatch x:\n    case [*old]: pass\n",
    "old = 1\nmatch x:\n    case {**old}: pass\n",
    "class old: pass\nmatch x:\n    case old(): pass\n",
    "import old\nmatch x:\n    case old.A: pass\n",
    "def f(xs):\n    any((old := x) for x in xs)\n    return old\n",
    "def f():\n    old = 1\n    def g():\n        nonlocal old\n        return old\n",
    "import old.path\nold.path.join()\n",
    "class old: pass\nx: 'list[' 'old]' = []\n",
]


@pytest.mark.parametrize(
    ("source", "old", "new", "said"),
    [
        *CAPTURES,
        *((source, "old", "new", "is passed by keyword, perhaps to this") for source in CALLS),
        *((source, "old", "new", "rename by hand") for source in UNFOLLOWED),
    ],
)
async def test_a_rename_that_would_change_a_meaning_is_refused(
    toolbox: Toolbox, root: Path, source: str, old: str, new: str, said: str
) -> None:
    (root / "m.py").write_text(source)
    result = await toolbox.cst_rename("m.py", old, new)
    assert (result.status, result.success) == ("tool_error", False)
    assert said in (result.parse_error or "")
    assert (root / "m.py").read_text() == source


EXPORTS = [
    "__all__.append('old')\n",
    "__all__.extend(['a', 'old'])\n",
    "__all__.insert(0, 'old')\n",
    "__all__.remove('old')\n",
    "__all__ += ('old',)\n",
    "__all__ = base.__all__ + ['old']\n",
    "__all__ = sorted({'old', 'a'})\n",
]
NO_EXPORTS = [
    "__all__.append('b' + 'old')\n",
    "names.append('old')\n",
    "import typing as t\ndef f(x: t.Literal['old']): pass\n",
    "import typing as t\ndef f(x: t.Annotated[int, 'old']): pass\n",
]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "def f(old): return old\nf(old=1)\ndict(old=1)\n",
            "def f(new): return new\nf(new=1)\ndict(old=1)\n",
        ),
        ("def f(old, /): return old\ng(old=1)\n", "def f(new, /): return new\ng(old=1)\n"),
        (
            "import r\ndef f(old): return r.get(old=old)\nmap(f, [])\n",
            "import r\ndef f(new): return r.get(old=new)\nmap(f, [])\n",
        ),
        (
            "old = 1\ndef f(new): return new\ndef g(): return old\n",
            "new = 1\ndef f(new): return new\ndef g(): return new\n",
        ),
        (
            "old = 1\nclass C:\n    new = 2\n    def m(self): return old\n",
            "new = 1\nclass C:\n    new = 2\n    def m(self): return new\n",
        ),
        (
            "class old: pass\nx: 'list[old] | a.old' = []\n",
            "class new: pass\nx: 'list[new] | a.old' = []\n",
        ),
        (
            "def old(): pass\n__all__ = ['old']\n__all__ += ['old']\n",
            "def new(): pass\n__all__ = ['new']\n__all__ += ['new']\n",
        ),
        (
            "def f():\n    while True:\n        print(old.a)\n        old = 1\n",
            "def f():\n    while True:\n        print(new.a)\n        new = 1\n",
        ),
        (
            "while True:\n    print(old)\n    old = 1\n",
            "while True:\n    print(new)\n    new = 1\n",
        ),
        (
            "old = 1\ndef f(xs):\n    for old in xs: print(old)\n    for old in xs: print(old)\n",
            "new = 1\ndef f(xs):\n    for old in xs: print(old)\n    for old in xs: print(old)\n",
        ),
        (
            "old = 1\nclass C:\n    print(old)\n    old = old\n",
            "new = 1\nclass C:\n    print(new)\n    old = new\n",
        ),
        *((f"old = 1\n{line}", f"new = 1\n{line.replace('old', 'new')}") for line in EXPORTS),
        *((f"old = 1\n{line}", f"new = 1\n{line}") for line in NO_EXPORTS),
    ],
)
async def test_a_rename_changes_what_means_the_symbol_and_nothing_else(
    toolbox: Toolbox, root: Path, before: str, after: str
) -> None:
    (root / "m.py").write_text(before)
    result = await toolbox.cst_rename("m.py", "old", "new")
    assert (result.status, (root / "m.py").read_text()) == ("clean", after)


async def test_a_file_nested_too_deeply_is_told(toolbox: Toolbox, root: Path) -> None:
    text = "x = " + " + ".join(["y"] * 5000) + "\n"
    (root / "deep.py").write_text(text)
    results: list[ToolResult] = [
        await toolbox.cst_find_pattern("deep.py", "y"),
        await toolbox.cst_rename("deep.py", "x", "z"),
        await toolbox.cst_add_import("deep.py", "import os"),
    ]
    for result in results:
        assert (result.status, result.success) == ("tool_error", False)
        assert "deep.py is nested too deeply" in (result.parse_error or "")
    assert (root / "deep.py").read_text() == text


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 20_000 + "1" + ")" * 20_000,
        "x = " + "f'{" * 20_000 + "1" + "}'" * 20_000,
        "x: '" + "a[" * 20_000 + "1" + "]" * 20_000 + "' = 1",
        "match x:\n    case " + "{1: [" * 20 + "y" + "]}" * 20 + ": pass",
        "match x:\r    case \\\r " + "[\r" * 20 + "y" + "]" * 20 + ": pass",
    ],
    ids=["brackets", "f-strings", "annotation", "case", "case on several lines"],
)
async def test_a_file_that_the_parser_cannot_survive_is_not_parsed(
    toolbox: Toolbox, root: Path, code: str
) -> None:
    (root / "deep.py").write_text(code, newline="")
    results: list[ToolResult] = [
        await toolbox.cst_find_pattern("deep.py", "y"),
        await toolbox.cst_rename("deep.py", "x", "z"),
        await toolbox.cst_add_import("deep.py", "import os"),
    ]
    told = "an expression of deep.py is nested too deeply to follow."
    assert [(each.status, each.parse_error) for each in results] == [("tool_error", told)] * 3


async def test_a_pattern_that_the_parser_cannot_survive_is_not_parsed(
    toolbox: Toolbox, file: Path
) -> None:
    result = await toolbox.cst_find_pattern(file.name, "(" * 20_000)
    assert result.parse_error == "the pattern is nested too deeply to follow."


async def test_a_pattern_with_many_gaps_is_answered(toolbox: Toolbox, root: Path) -> None:
    (root / "m.py").write_text(f"f({'1, ' * 200}2)\nf(1, 2, 3)\n")
    pattern = f"f({'..., 1, ' * 20}..., 2, ...)"
    assert [each.line for each in (await toolbox.cst_find_pattern("m.py", pattern)).matches] == [1]
    short = (await toolbox.cst_find_pattern("m.py", "f(..., 2, ...)")).matches
    assert [each.line for each in short] == [1, 2]


async def test_a_name_of_several_functions_is_refused(toolbox: Toolbox, root: Path) -> None:
    (root / "m.py").write_text("def f():\n    x = 1\ndef g():\n    x = 2\n")
    result = await toolbox.cst_rename("m.py", "x", "y")
    assert result.parse_error == "x is defined in 2 scopes; rename by hand which is meant."


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("import json", "import json"),
        ("from pathlib import Path", "from pathlib import Path"),
        ("from pathlib import Path as P", "from pathlib import Path as P"),
        ("from . import sibling", "from . import sibling"),
        ("from ..pkg.mod import thing", "from ..pkg.mod import thing"),
    ],
)
async def test_an_import_is_added_once(
    toolbox: Toolbox, file: Path, statement: str, line: str
) -> None:
    assert (await toolbox.cst_add_import("a.py", statement)).added
    text = read(file)
    assert line in text.splitlines()
    assert "import os  # keep me" in text
    again = await toolbox.cst_add_import("a.py", statement)
    assert (again.status, again.added, read(file)) == ("clean", False, text)


@pytest.mark.parametrize("statement", ["import", "x = 1", "from a import *", "import a; import b"])
async def test_what_is_no_import_is_refused(toolbox: Toolbox, file: Path, statement: str) -> None:
    result = await toolbox.cst_add_import("a.py", statement)
    assert (result.status, read(file)) == ("tool_error", SOURCE)


async def test_a_file_that_does_not_parse_is_told(toolbox: Toolbox, root: Path) -> None:
    (root / "bad.py").write_text("def f(:\n")
    results: list[ToolResult] = [
        await toolbox.cst_find_pattern("bad.py", "Call"),
        await toolbox.cst_rename("bad.py", "f", "g"),
        await toolbox.cst_add_import("bad.py", "import os"),
    ]
    for result in results:
        assert result.status == "tool_error"
        assert "bad.py is not valid Python (line 1)" in (result.parse_error or "")
    with pytest.raises(FileNotFoundError):
        await toolbox.cst_rename("none.py", "a", "b")
    with pytest.raises(PermissionError):
        await toolbox.cst_add_import("../x.py", "import os")


async def test_a_pattern_that_is_none_is_told(toolbox: Toolbox, file: Path) -> None:
    result = await toolbox.cst_find_pattern("a.py", "def x")
    assert "neither a LibCST node name nor a Python expression" in (result.parse_error or "")
