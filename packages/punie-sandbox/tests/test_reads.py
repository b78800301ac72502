"""Which fields a snippet reads, found without running it."""

# ruff: noqa: E501 - a row is a snippet and what it reads

import pytest

from punie_sandbox import fields_read
from punie_sandbox.testing import MemoryProject

R, E = "TypeCheckResult", "TypeCheckError"


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("typecheck('a')", set()),
        ("typecheck('a').success", {f"{R}.success"}),
        ("r = typecheck('a')\nprint(r.error_count if not r.success else 0)", {f"{R}.error_count", f"{R}.success"}),
        ("for e in typecheck('a').errors:\n    print(f'{e.file}:{e.line}')", {f"{R}.errors", f"{E}.file", f"{E}.line"}),
        ("[e.message for e in typecheck('a').errors if e.severity == 'error']", {f"{R}.errors", f"{E}.message", f"{E}.severity"}),
        ("sorted(typecheck('a').errors, key=lambda e: (e.file, -e.line))[0].code", {f"{R}.errors", f"{E}.file", f"{E}.line", f"{E}.code"}),
        ("def show(e):\n    return e.line\n[show(x) for x in typecheck('a').errors]", {f"{R}.errors", f"{E}.line"}),
        ("def show(e: TypeCheckError) -> str:\n    return e.message", {f"{E}.message"}),
        ("rs = {p: typecheck(p) for p in 'ab'}\nfor p, r in rs.items():\n    r.success", {f"{R}.success"}),
        ("out = []\nfor p in 'ab':\n    out.append((p, typecheck(p)))\nfor p, x in out:\n    x.errors", {f"{R}.errors"}),
        ("g = {}\nfor e in typecheck('a').errors:\n    g.setdefault(e.file, []).append(e)\nfor es in g.values():\n    es[0].code", {f"{R}.errors", f"{E}.file", f"{E}.code"}),
        ("from collections import defaultdict\ng = defaultdict(list)\nfor e in typecheck('a').errors:\n    g[e.file].append(e)\nfor f in g:\n    [x.line for x in g[f]]", {f"{R}.errors", f"{E}.file", f"{E}.line"}),
        ("from collections import Counter\nCounter(e.code for e in typecheck('a').errors)", {f"{R}.errors", f"{E}.code"}),
        ("a, b = typecheck('a'), typecheck('b')\na.success and b.error_count", {f"{R}.success", f"{R}.error_count"}),
        ("for i, e in enumerate(typecheck('a').errors, 1):\n    e.line", {f"{R}.errors", f"{E}.line"}),
        ("for p, r in zip('ab', [typecheck(p) for p in 'ab']):\n    r.success", {f"{R}.success"}),
        ("errs = []\nfor p in 'ab':\n    errs += typecheck(p).errors\nerrs.sort(key=lambda e: e.line)", {f"{R}.errors", f"{E}.line"}),
        ("next(iter(typecheck('a').errors), None).line", {f"{R}.errors", f"{E}.line"}),
        ("max(typecheck('a').errors, key=lambda e: e.line).file", {f"{R}.errors", f"{E}.line", f"{E}.file"}),
        ("list(map(lambda e: e.code, typecheck('a').errors))", {f"{R}.errors", f"{E}.code"}),
        ("x = None\nif x is None:\n    x = typecheck('a')\nx.success", {f"{R}.success"}),
        ("if (r := typecheck('a')).success:\n    r.errors", {f"{R}.success", f"{R}.errors"}),
        ("getattr(typecheck('a'), 'success')", {f"{R}.success"}),
        ("check = typecheck\ncheck('a').success", {f"{R}.success"}),
        ("def load(p):\n    return typecheck(p)\nload('a').success", {f"{R}.success"}),
        ("from itertools import groupby\nfor f, g in groupby(typecheck('a').errors, key=lambda e: e.file):\n    [e.line for e in g]", {f"{R}.errors", f"{E}.file", f"{E}.line"}),
        ("match typecheck('a'):\n    case r if r.success: pass", {f"{R}.success"}),
        ("text = read_file('a')\ntext.errors", set()),
        ("def (", set()),
    ],
)  # fmt: skip
def test_the_fields_that_are_read(code: str, fields: set[str]) -> None:
    """behaviour: reads.found."""
    assert fields_read(code, MemoryProject().functions()) == fields


def test_variables_of_earlier_snippets_are_known() -> None:
    """behaviour: reads.earlier."""
    functions = MemoryProject().functions()
    assert fields_read("r.success", functions) == set()
    assert fields_read("r.success", functions, earlier=["r = typecheck('a')\nr.errors"]) == {
        f"{R}.success"
    }


def test_recursive_functions_and_growing_structures_come_to_rest() -> None:
    """behaviour: reads.terminates."""
    code = "x = []\nfor _ in range(9):\n    x = [x, typecheck('a')]\ndef f(y):\n    return f([y])\nf(x)\nx[1].success"
    assert f"{R}.success" in fields_read(code, MemoryProject().functions())
