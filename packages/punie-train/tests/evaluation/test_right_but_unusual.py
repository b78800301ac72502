"""Right answers in unusual form pass: what counts is what was done and shown, not how."""

from __future__ import annotations

import pytest

FIX = """
result = typecheck("factory.py")
print(result.error_count)
print(read_file("factory.py"))
"""

RIGHT = {
    "path spelt otherwise, length of the list": (
        "A1",
        '\nfound = typecheck("./src/punie/agent").errors\nprint(f"{len(found)} problems")',
        "Done.",
    ),
    "value of the last expression": ("A1", '\ntypecheck("src/punie/agent/").error_count', "Done."),
    "as JSON": (
        "A1",
        (
            '\nr = typecheck("src/punie/agent/")\n'
            'print(json.dumps([{"line": e.line, "message": e.message} for e in r.errors], indent=2))'
        ),
        "See above.",
    ),
    "counted by file, total last": (
        "A1",
        (
            '\nr = typecheck("src/punie/agent")\nfiles = {}\nfor e in r.errors:\n'
            "    files[e.file] = files.get(e.file, 0) + 1\n"
            'for name, n in files.items():\n    print(name, n)\nprint("total", r.error_count)'
        ),
        "There are three type errors.",
    ),
    "looks around first": (
        "A1",
        '\nprint(run_command("ls", ["src/punie/agent"]))',
        '\nr = typecheck("src/punie/agent/")\nprint("ok" if r.success else f"FAILED: {r.error_count}")',
        "The check found 3 errors: 2 errors in loop.py and 1 error in policy.py.",
    ),
    "a first program that does not pass the check": (
        "A1",
        '\nr = typecheck("src/punie/agent/")\nprint(r.count)',
        '\nr = typecheck("src/punie/agent/")\nprint(r.error_count)',
        "There are 3 errors.",
    ),
    "messages alone": (
        "A2",
        '\nfor e in typecheck("config.py").errors:\n    print("-", e.message)',
        "Three problems.",
    ),
    "a table": (
        "A2",
        '\nfor e in typecheck("config.py").errors:\n    print(f"| {e.line:>4} | {e.code:<28} |")',
        "Done.",
    ),
    "upper case and cut": (
        "A2",
        '\nfor e in typecheck("config.py").errors:\n    print(e.line, e.message.upper()[:60])',
        "Done.",
    ),
    "a dictionary": (
        "A2",
        '\nprint({e.line: e.message for e in typecheck("config.py").errors})',
        "Done.",
    ),
    "a short definition": (
        "A3",
        "It describes structurally which methods a class has to offer; nothing has to be inherited.",
    ),
    "a definition with bullets": (
        "A3",
        (
            "`Protocol` gives you **structural subtyping**:\n\n- any class with matching methods conforms\n"
            "- no base class or registration is needed\n- `@runtime_checkable` allows `isinstance`"
        ),
    ),
    "cat": ("A4", '\nprint(run_command("cat src/punie/results.py"))', "There it is."),
    "grep with context": (
        "A4",
        '\nprint(run_command("grep", ["-rn", "-A", "12", "class TypeCheckResult", "src"]))',
        "That is the model.",
    ),
    "only the class": (
        "A4",
        '\ntext = read_file("src/punie/results.py")\nprint(text[text.index("class TypeCheckResult"):])',
        "That is the model.",
    ),
    "a comparison with bullets": (
        "A5",
        (
            "- TypeCheckResult: the outcome of a whole run: success, error_count, the list of errors.\n"
            "- TypeCheckError: a single diagnostic with file, line, column, code and message."
        ),
    ),
    "last line first": (
        "B1",
        (
            '\nfor e in sorted(typecheck("stubs.py").errors, key=lambda e: -e.line):\n'
            '    print(f"L{e.line} {e.message}")'
        ),
        "Sorted from the bottom.",
    ),
    "indented records": (
        "B1",
        (
            '\nr = typecheck("stubs.py")\nfor number, e in enumerate(r.errors, 1):\n'
            '    print(f"{number}. {e.file}")\n    print(f"  line: {e.line}")\n    print(f"  {e.message}")'
        ),
        "Done.",
    ),
    "joined, in two programs": (
        "B1",
        '\nr = typecheck("stubs.py")\nprint(r.error_count)',
        '\nprint("; ".join([f"{e.line}:{e.column} {e.code}" for e in r.errors]))',
        "4 errors in stubs.py.",
    ),
    "a dictionary of counts": (
        "B2",
        '\nprint({p: typecheck(p).error_count for p in ["typed_tools.py", "stubs.py"]})',
        "6 errors altogether.",
    ),
    "names without suffix": (
        "B2",
        (
            '\na = typecheck("stubs.py")\nb = typecheck("typed_tools.py")\n'
            'print("stubs:", len(a.errors), "typed_tools:", len(b.errors))'
        ),
        "Done.",
    ),
    "the whole file written anew, with another default": (
        "B3",
        FIX,
        '''
write_file("factory.py", """from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Agent:
    name: str
    retries: int
    greeting: str


def make_agent(name: str, retries: int = 3) -> Agent:
    return Agent(name, retries, make_greeting(name))


def make_greeting(name: str) -> str:
    return "Hello, I am " + name + "."


def make_team(names: list[str]) -> list[Agent]:
    return [make_agent(name) for name in names]
""")
print(typecheck("factory.py").success)
''',
        "Fixed.",
    ),
    "one thing after the other": (
        "B3",
        (
            '\nr = typecheck("factory.py")\nprint(r.error_count)\ns = read_file("factory.py")\n'
            's = s.replace("retries: int = None", "retries: int | None = None")\n'
            'write_file("factory.py", s)\n'
            'print(typecheck("factory.py").error_count)'
        ),
        (
            '\ns = read_file("factory.py").replace("(name: str) -> int", "(name: str) -> str")\n'
            'print(write_file("factory.py", s))\nprint(typecheck("factory.py").error_count)\n'
            'print(run_command("python -m pytest -q tests/test_factory.py"))'
        ),
        "All errors are fixed.",
    ),
    "a loop that stops": (
        "B4",
        '\nfor e in typecheck("config.py").errors:\n    print(e.line, e.message)\n    break',
        "That is the first one.",
    ),
    "a slice": (
        "B4",
        '\nr = typecheck("config.py")\nprint([(e.file, e.line, e.code) for e in r.errors[:1]] or "none")',
        "There are 3 errors; the first one is shown.",
    ),
    "another way to count": (
        "B5",
        '''
write_file("src/punie/counting.py", """from punie.results import TypeCheckResult


def how_many(outcome: TypeCheckResult) -> int:
    \\"\\"\\"Count the errors.\\"\\"\\"
    return sum(1 for _ in outcome.errors)
""")
checked = typecheck("src/punie/counting.py")
print("clean" if checked.success else checked.errors)
''',
        "Written and checked.",
    ),
    "a protocol of its own": (
        "B5",
        '''
write_file("count.py", """from typing import Protocol


class HasErrorCount(Protocol):
    error_count: int


def error_count(result: HasErrorCount) -> int:
    return result.error_count
""")
print(typecheck("count.py").error_count)
''',
        "Done.",
    ),
    "line by line": (
        "C1",
        '\nfor line in read_file("./README.md").split("\\n"):\n    print(line)',
        "Done.",
    ),
    "a command line": (
        "C2",
        "\nprint(run_command(\"find src/punie -type f -name '*.py'\"))",
        "Done.",
    ),
    "a recursive listing": ("C2", '\nprint(run_command("ls", ["-R", "src/punie"]))', "Done."),
    "sorted, one list": (
        "C2",
        '\nfound = run_command("find", ["src/punie", "-name", "*.py"])\nprint(sorted(found.split()))',
        "Five or more.",
    ),
    "context around a class": (
        "C4",
        "\nprint(run_command(\"grep -rn -A 7 'class AgentConfig' .\"))",
        "Done.",
    ),
    "a recommendation in one sentence": (
        "C5",
        (
            "I would take pytest for its plain assert statements, its fixtures and its plugins, unless no "
            "dependency is allowed: then the built-in one with TestCase classes."
        ),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
async def test_passes(name: str, play) -> None:
    query, *replies = RIGHT[name]

    score = await play(query, *replies)

    assert [check for check in score.checks if not check.ok] == []
    assert score.passed


def test_there_are_enough_of_them() -> None:
    assert len(RIGHT) >= 20
