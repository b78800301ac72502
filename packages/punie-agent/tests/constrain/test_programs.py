"""What a program may say: paths that are there, fields that results have, parameters that tools take."""

from __future__ import annotations

import pytest

from punie_agent.constrain import ReplyCursor
from punie_agent.constrain._rules import Kind, Rules, Tool
from punie_agent.constrain._words import Words

PATHS = Words(["src/", "src", "src/actions/", "src/actions", "stubs.py", "tests/test_app.py", "."])
TOOLS = {
    "typecheck": Tool(("path",), returns=Kind("Checked")),
    "read_file": Tool(("path",)),
    "write_file": Tool(("path", "content"), creates=True),
    "run_command": Tool(("command", "args", "cwd")),
    "pytest_run": Tool(("path",), returns=Kind("Tested"), selects=True),
}
MODELS = {
    "Checked": {
        "errors": Kind("Finding", listed=True),
        "error_count": None,
        "first": Kind("Finding"),
    },
    "Finding": {"file": None, "line": None, "message": None},
    "Tested": {"tests": Kind("Case", listed=True), "passed": None},
    "Case": {"name": None, "message": None},
}
RULES = Rules(TOOLS, MODELS, PATHS, fresh=False, looped=True)


def written(code: str, rules: Rules = RULES) -> str:
    """How much of a program can be written."""
    cursor = ReplyCursor(rules)
    assert cursor.advance("```python\n")
    for number, char in enumerate(code):
        if not cursor.advance(char):
            return code[:number]
    return code


def possible(code: str, rules: Rules = RULES) -> bool:
    return written(code, rules) == code


def test_a_path_argument_is_one_of_the_paths() -> None:
    assert possible('typecheck("src/actions/")')
    assert possible("typecheck('stubs.py')")
    assert written('typecheck("src/ractions/")') == 'typecheck("src/'
    assert written('typecheck("stub")') == 'typecheck("stub'
    assert written('print(read_file("stubs.pyi"))') == 'print(read_file("stubs.py'


def test_a_path_argument_given_by_name_is_one_too() -> None:
    assert possible('typecheck(path="src")')
    assert written('typecheck(path = "lib")') == 'typecheck(path = "'


def test_an_argument_that_is_no_path_is_free() -> None:
    assert possible('run_command("grep -rn nothing like/a/path")')
    assert possible('write_file("stubs.py", "lib/x.py")')
    assert possible('run_command("ls", cwd="anywhere")')


def test_a_path_that_is_computed_is_free() -> None:
    for code in (
        'typecheck(f"{folder}/x.py")',
        'typecheck(folder + "/x.py")',
        'typecheck(r"C:/x")',
        'typecheck(names["x.py"])',
        'typecheck(str("x.py"))',
    ):
        assert possible(f"folder = names = 1\n{code}"), code


def test_the_paths_that_a_loop_goes_through_are_paths() -> None:
    assert possible('for path in ["src/", "stubs.py"]:\n    print(typecheck(path).error_count)\n')
    assert written('for path in ["src/", "stub"]:') == 'for path in ["src/", "stub'
    assert written('for path in ("lib", "src"):') == 'for path in ("'


def test_a_loop_through_other_words_is_free() -> None:
    assert possible('for word in ["lib", "x"]:\n    print(word)\n')
    assert possible('for path in "lib x".split():\n    print(path)\n')


def test_a_file_that_the_program_wrote_is_a_path_from_then_on() -> None:
    rules = Rules(TOOLS, MODELS, PATHS, fresh=True)
    assert possible('write_file("new.py", "")\ntypecheck("new.py")', rules)
    assert not possible('write_file("new.py", "")\ntypecheck("newer.py")', rules)


def test_a_new_file_may_only_be_written_where_that_is_allowed() -> None:
    assert written('write_file("new.py", "")') == 'write_file("'
    assert possible('write_file("new.py", "")', Rules(TOOLS, MODELS, PATHS, fresh=True))


def test_a_test_in_a_file_is_a_path_for_the_tool_that_runs_tests() -> None:
    assert possible('pytest_run("tests/test_app.py::test_it")')
    assert not possible('pytest_run("src/x.py::test_it")')
    assert not possible('typecheck("tests/test_app.py::test_it")')


def test_without_known_paths_every_path_is_possible() -> None:
    assert possible('typecheck("lib/x.py")', Rules(TOOLS, MODELS))


@pytest.mark.parametrize(
    ("code", "until"),
    [
        ('result = typecheck("src")\nprint(result.error)\n', "print(result.error"),
        ('result = typecheck("src")\nprint(f"{result.erors}")', 'print(f"{result.er'),
        ('print(typecheck("src").passed)', 'print(typecheck("src").'),
        ('r = typecheck("src")\nfor e in r.errors:\n    print(e.name)', "print(e."),
        ('r = typecheck("src")\ne = r.errors[0]\nprint(e.col)', "print(e."),
        ('r = typecheck("src")\nfor e in r.errors[:3]:\n    print(e.lines)', "print(e.line"),
        ('r = typecheck("src").first\nr.text', "r."),
        ('r = typecheck("src")\nif r.ok:', "if r."),
    ],
)
def test_an_attribute_of_a_result_is_a_field_of_it(code: str, until: str) -> None:
    assert written(code).endswith(until)


@pytest.mark.parametrize(
    "code",
    [
        'r = typecheck("src")\nfor e in r.errors:\n    print(f"{e.file}:{e.line}: {e.message!r:>3}")\n',
        'r = typecheck("src")\nr = r.errors\nr.sort()\n',
        'r = typecheck("src")\nr = 5\nr.real\n',
        'r = typecheck("src")\nr, x = 1, 2\nr.real\n',
        'r = typecheck("src")\nr += 1\nr.real\n',
        'r = typecheck("src")\nif x:\n    r = pytest_run(".")\nprint(r.passed, r.errors)\n',
        'r = typecheck("src")\nif x: r = pytest_run(".")\nprint(r.passed)\n',
        'if x:\n    r = 1\nelse:\n    r = typecheck("src")\nprint(r.real)\n',
        'for r in typecheck("src").errors: pass\nprint([r.upper() for r in words])\n',
        'r = typecheck("src")\nprint(", ".join(r.name for r in pytest_run(".").tests))\n',
        'r = typecheck("src")\nprint({r.name: 1 for r in pytest_run(".").tests})\n',
        'r = typecheck("src")\nxs.sort(key=lambda r: r.name)\n',
        'r = typecheck("src")\ndef f(r):\n    return r.name\n',
        'r = typecheck("src")\nwith x as r:\n    r.name\n',
        'r = typecheck("src")\ntry:\n    pass\nexcept ValueError as r:\n    r.args\n',
        'r = typecheck("src")\nprint((r := 3), r.real)\n',
        'r = typecheck("src")\nfor r, x in pairs:\n    r.name\n',
        'r = typecheck("src")\nmatch x:\n    case [r]:\n        r.name\n',
        'r = typecheck("src")\n(r, x) = pair\nr.name\n',
        'r = typecheck("src")\nfor [r, x] in pairs:\n    r.name\n',
        'r = typecheck("src") or pytest_run(".")\nr.name\n',
        'r = [typecheck("src")]\nr.append(1)\n',
        'r = typecheck("src"), 1\nr.count(1)\n',
        'r = await typecheck("src")\nr.x\n',
        'r = typecheck("src") if x else y\nr.x\n',
        'r = x == typecheck("src")\nr.real\n',
        'r = typecheck("src").first.file\nr.upper()\n',
        'x.r = typecheck("src")\nr.name\n',
        'r = typecheck("src")\nx["r"].name, other.r.name\n',
    ],
)
def test_a_name_that_may_stand_for_something_else_is_not_held_to_it(code: str) -> None:
    assert possible(code)


def test_a_tool_takes_its_own_parameters_only() -> None:
    assert possible('run_command("ls", args=["-l"], cwd=".")')
    assert possible('run_command(\n    "ls",\n    ["-l"],  # long\n)')
    assert written('typecheck("src", recursive=True)') == 'typecheck("src", '
    assert written('run_command("ls", shell=True)') == 'run_command("ls", s'
    assert not possible('run_command("ls", args=[], args=[])')
    assert written('typecheck("src", "stubs.py")') == 'typecheck("src", '


def test_an_argument_may_be_any_name_that_occurred() -> None:
    assert possible('shell = "ls"\nrun_command(shell)')
    assert possible("print([read_file(p) for p in paths])")
    assert possible("typecheck(*paths)")
    assert possible("typecheck(**options)")
    assert possible("shell = 1\nrun_command(shell == 2)")
    assert not possible("typecheck(shall)")


def test_an_invented_parameter_is_refused_at_the_equals_sign_where_the_name_was_free() -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance("```python\nprint(typecheck(file=")
    assert cursor.trapped
    assert not cursor.accepts('"src"')
    assert cursor.accepts("= other)")


@pytest.mark.parametrize(
    "code", ["x = 'a\n", 'print("a"]', "f(1}", "a = [1)", "x = `y`", 'f"{x', "print(\n```\n"]
)
def test_what_no_program_contains_is_refused_or_not_complete(code: str) -> None:
    cursor = ReplyCursor(RULES)
    assert not cursor.advance(f"```python\n{code}") or not cursor.may_end


@pytest.mark.parametrize(
    ("code", "until"),
    [
        ("a.replace('b', 'c')'d'", "a.replace('b', 'c')"),
        ("x = y 'z'", "x = y "),
        ("x = y z", "x = y "),
        ("x = y()[0] 1", "x = y()[0] "),
        ("x = 'y' z", "x = 'y' "),
        ("x = 'y' f + 1", "x = 'y' f"),
        ("x = y {1}", "x = y "),
        ("f(a, b c)", "f(a, b "),
        ("x.match y", "x.match "),
        ("x = 1 \\\n 2", "x = 1 \\\n "),
    ],
)
def test_no_value_begins_right_after_another(code: str, until: str) -> None:
    assert written(code) == until


@pytest.mark.parametrize(
    "code",
    [
        "x = 'y' \"z\" f'{x}' rb''\n",
        "x = y if z else not y\n",
        "x = [y async for y in z if y is not None]\n",
        "from a import b as c\nraise b from c\n",
        "match x:\n    case 'a' | {'b': 1}:\n        type y = int\n",
        "x = ('a'\n     'b')\ny = x\n'z'\n",
        "x = 1; y = 2\nif x: y\nelse: 'z'\n",
        "x = 'y'.upper()['z']\n",
        "print(x, y or 'z', *w, key=lambda v: 'w')\n",
    ],
)
def test_what_may_follow_a_value_is_free(code: str) -> None:
    assert possible(code)


@pytest.mark.parametrize("code", ["x = 'y\0", "# \0", "x\0"])
def test_no_program_has_a_null_byte(code: str) -> None:
    assert written(code) == code[:-1]


@pytest.mark.parametrize(
    ("code", "until"),
    [
        ("for x in y:\n    for z in x:\n    print(z)", "for x in y:\n    for z in x:\n    "),
        ("if a:\nb = 1", "if a:\n"),
        ("while a:  # why\n\n# here\nb", "while a:  # why\n\n# here\n"),
        ("try:\n'text'", "try:\n"),
        ("for x in y:\n```", "for x in y:\n"),
    ],
)
def test_a_block_stands_further_to_the_right_than_what_opens_it(code: str, until: str) -> None:
    assert written(code) == until


@pytest.mark.parametrize(
    "code",
    [
        "for x in y:\n  a = x\n  if a:\n   print(a)\nprint(1)\n```",
        "if a: b = 1\nc = 2\n```",
        "for x in [\n    1,\n]:\n\n# note\n    print(x)\n```",
        "a = {1:\n2}\nb = c[1:\n2]\n```",
        "x: int = 1\nf = lambda: 1\ng = 2\n```",
        "if a: \\\n  b = 1\nc = 1\n```",
        "try:\n\ta()\nexcept E:\n\tpass\nfinally:\n\tb()\n```",
    ],
)
def test_a_block_that_is_where_it_belongs_is_free(code: str) -> None:
    assert possible(code)


def test_prose_is_free_and_ends_anywhere() -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance('Call typecheck("nowhere") and (then "wait\n```toml\nx = "\n```\n')
    assert cursor.free
    assert cursor.may_end


def test_a_fence_inside_another_block_opens_nothing() -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance('~~~text\n```python\ntypecheck("nowhere")\n~~~\n')
    assert cursor.free


def test_a_block_ends_with_its_fence_and_prose_follows() -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance('````python\nx = """\n```\n"""\n````')
    assert cursor.may_end
    assert not cursor.accepts("x")
    assert cursor.advance('\ntypecheck("nowhere"')
    assert cursor.free


def test_a_fence_is_written_to_its_end() -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance("```python\nprint(1)\n``")
    assert not cursor.may_end
    assert not cursor.accepts("\n")
    assert cursor.accepts("`\n")


def test_rules_survive_the_way_to_a_server() -> None:
    again = Rules.from_json(RULES.to_json())
    assert again.tools == RULES.tools
    assert again.models == RULES.models
    assert list(again.paths or []) == list(PATHS)
    assert (again.fresh, again.looped) == (False, True)


@pytest.mark.parametrize("data", [None, [], {}, {"tools": 3}, {"tools": {"x": {}}}])
def test_rules_that_are_none_are_an_error(data: object) -> None:
    with pytest.raises(ValueError, match="no rules"):
        Rules.from_json(data)
