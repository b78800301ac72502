"""Wrong answers that look right fail, and the check that fails says why."""

from __future__ import annotations

import pytest

READ = '\nr = typecheck("factory.py")\nprint(r.error_count)\nprint(read_file("factory.py"))'
FIXED = (
    's = read_file("factory.py").replace("retries: int = None", "retries: int | None = None")\n'
    's = s.replace("(name: str) -> int", "(name: str) -> str")\n'
)
VERIFY = 'print(typecheck("factory.py").error_count)'
WRITE = 'write_file("factory.py", s)\n'

WRONG = {
    "the right count of the wrong folder": (
        ("A1", '\nr = typecheck("src/")\nprint(r.error_count)', "3 errors."),
        "calls",
    ),
    "a count that was never read": (
        ("A1", '\ntypecheck("src/punie/agent/")\nprint("3 errors")', "There are 3 errors."),
        "fields",
    ),
    "every number": (
        ("A1", '\nr = typecheck("src/punie/agent/")\nr.success\nprint(list(range(200)))', "Done."),
        "no guessing",
    ),
    "the result as it is": (("A1", '\nprint(typecheck("src/punie/agent/"))', "Done."), "fields"),
    "the type checker as a command": (
        ("A1", '\nprint(run_command("ty check src/punie/agent/"))', "There are 3 errors."),
        "calls",
    ),
    "an answer that contradicts its output": (
        ("A1", '\nprint(typecheck("src/punie/agent/").error_count)', "There are 5 type errors."),
        "claims",
    ),
    "a program that breaks after printing": (
        ("A1", '\nprint(typecheck("src/punie/agent/").error_count)\n[][0]', "There are 3 errors."),
        "finished",
    ),
    "prose without a program": (("A1", "I checked src/punie/agent/ and found 3 errors."), "calls"),
    "the text of the file": (
        ("A2", '\nprint(read_file("config.py"))', "These are the errors."),
        "calls",
    ),
    "lines without messages": (
        (
            "A2",
            '\nfor e in typecheck("config.py").errors:\n    e.message\n    print(e.line)',
            "Done.",
        ),
        "facts",
    ),
    "only codes of another file": (
        ("A2", '\nfor e in typecheck("stubs.py").errors:\n    print(e.line, e.message)', "Done."),
        "calls",
    ),
    "the question again": (
        (
            "A3",
            "What is a Protocol in Python typing? A Protocol in Python typing is a Protocol for typing.",
        ),
        "about the question",
    ),
    "the neighbour's definition": (
        (
            "A3",
            (
                "It cannot be instantiated; subclasses must override its abstract methods, and you inherit "
                "from it explicitly with abc.ABC."
            ),
        ),
        "about the question",
    ),
    "a lookup where none is needed": (
        (
            "A3",
            '\nprint(run_command("grep", ["-rn", "Protocol", "."]))',
            "It describes structurally which methods a class has to offer without inheriting.",
        ),
        "no code",
    ),
    "a loop": (
        ("A3", "Structural subtyping compares methods and attributes. " * 12),
        "about the question",
    ),
    "a class from memory": (
        (
            "A4",
            (
                '\nprint("class TypeCheckResult:\\n success: bool\\n error_count: int\\n'
                " warning_count: int = 0\\n errors: list[TypeCheckError] = field(default_factory=list)\\n"
                ' parse_error: str | None = None")'
            ),
            "There it is.",
        ),
        "calls",
    ),
    "the other class": (
        ("A4", '\nprint(run_command("sed -n 8,20p src/punie/results.py"))', "There it is."),
        "facts",
    ),
    "nothing about either": (
        (
            "A5",
            "One is a mutable list, the other is an immutable tuple that can be a dictionary key.",
        ),
        "about the question",
    ),
    "messages beside the wrong lines": (
        (
            "B1",
            (
                '\nr = typecheck("stubs.py")\nlines = [e.line for e in r.errors]\n'
                "for line, e in zip(lines[1:] + lines[:1], r.errors):\n    print(line, e.message)"
            ),
            "Done.",
        ),
        "facts",
    ),
    "only the first": (
        ("B1", '\ne = typecheck("stubs.py").errors[0]\nprint(e.line, e.message)', "Done."),
        "facts",
    ),
    "columns for lines": (
        (
            "B1",
            '\nfor e in typecheck("stubs.py").errors:\n    e.line\n    print(e.column, e.message)',
            "Done.",
        ),
        "facts",
    ),
    "lines here, messages there": (
        (
            "B1",
            (
                '\nr = typecheck("stubs.py")\nprint([e.line for e in r.errors])\n'
                "print([e.message for e in r.errors])"
            ),
            "Done.",
        ),
        "facts",
    ),
    "one of two files": (
        ("B2", '\nprint("stubs.py", typecheck("stubs.py").error_count)', "Done."),
        "calls",
    ),
    "counts exchanged": (
        (
            "B2",
            (
                '\na = typecheck("stubs.py")\nb = typecheck("typed_tools.py")\n'
                'print("stubs.py:", b.error_count)\nprint("typed_tools.py:", a.error_count)'
            ),
            "Done.",
        ),
        "facts",
    ),
    "the sum alone": (
        (
            "B2",
            '\nprint(typecheck("stubs.py").error_count + typecheck("typed_tools.py").error_count)',
            "Done.",
        ),
        "facts",
    ),
    "errors switched off": (
        (
            "B3",
            READ,
            '\ns = read_file("factory.py")\n'
            's = s.replace("= None) -> Agent:", "= None) -> Agent:  # type: ignore")\n'
            's = s.replace("make_greeting(name))", "make_greeting(name))  # type: ignore")\n'
            's = s.replace("am {name}.\\"", "am {name}.\\"  # type: ignore")\n' + WRITE + VERIFY,
            "Fixed.",
        ),
        "kept",
    ),
    "types given up": (
        (
            "B3",
            READ,
            "\n"
            + FIXED
            + 's = s.replace("from dataclasses", "from typing import Any\\nfrom dataclasses")\n'
            's = s.replace("int | None = None", "Any = None")\n' + WRITE + VERIFY,
            "Fixed.",
        ),
        "kept",
    ),
    "the function removed": (
        (
            "B3",
            READ,
            "\n" + FIXED + 's = s[: s.index("def make_team")]\n' + WRITE + VERIFY,
            "Fixed.",
        ),
        "kept",
    ),
    "behaviour broken": (
        (
            "B3",
            READ,
            "\n"
            + FIXED.replace("am", "am")
            + 's = s.replace("retries = 3", "retries = 0")\n'
            + WRITE
            + VERIFY,
            "Fixed.",
        ),
        "tests",
    ),
    "another file touched": (
        ("B3", READ, "\n" + FIXED + WRITE + 'write_file("config.py", "")\n' + VERIFY, "Fixed."),
        "files",
    ),
    "not verified": (("B3", READ, "\n" + FIXED + WRITE + "print('done')", "Fixed."), "calls"),
    "half fixed": (
        (
            "B3",
            READ,
            '\ns = read_file("factory.py").replace("int = None", "int | None = None")\n'
            + WRITE
            + VERIFY,
            "Fixed.",
        ),
        "type-checks",
    ),
    "all of them": (
        (
            "B4",
            '\nfor e in typecheck("config.py").errors:\n    print(e.line, e.message)',
            "The first one is on top.",
        ),
        "nothing else",
    ),
    "the last one": (
        ("B4", '\ne = typecheck("config.py").errors[-1]\nprint(e.line, e.message)', "Done."),
        "facts",
    ),
    "a constant": (
        (
            "B5",
            (
                '\nwrite_file("count.py", "def error_count(result: object) -> int:\\n    return 0\\n")\n'
                'print(typecheck("count.py").error_count)'
            ),
            "Done.",
        ),
        "works",
    ),
    "an import that leads nowhere": (
        (
            "B5",
            (
                '\nwrite_file("count.py", "from tools import TypeCheckResult\\n\\n\\n'
                'def error_count(result: TypeCheckResult) -> int:\\n    return result.error_count\\n")\n'
                'print(typecheck("count.py").error_count)'
            ),
            "Done.",
        ),
        "type-checks",
    ),
    "shown and not written": (
        (
            "B5",
            '\nprint("def error_count(result):\\n    return result.error_count")',
            "There it is.",
        ),
        "calls",
    ),
    "its length": (("C1", '\nprint(len(read_file("README.md")))', "Done."), "facts"),
    "a copy nobody wanted": (
        (
            "C1",
            '\ntext = read_file("README.md")\nprint(text)\nwrite_file("COPY.md", text)',
            "Done.",
        ),
        "no other calls",
    ),
    "the top of the tree": (("C2", '\nprint(run_command("ls", ["src/punie"]))', "Done."), "facts"),
    "files that do not exist": (
        ("C2", '\nprint("src/punie/__init__.py src/punie/main.py src/punie/utils.py")', "Done."),
        "calls",
    ),
    "where it is, not what it is": (
        ("C4", '\nprint(run_command("grep", ["-rn", "class AgentConfig", "."]))', "In config.py."),
        "facts",
    ),
    "one side only, and another question": (
        (
            "C5",
            "A fixture prepares what a test needs, is requested by parameter name, and yield tears it down.",
        ),
        "about the question",
    ),
    "no answer": (("C3", ""), "about the question"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_fails(name: str, play) -> None:
    (query, *replies), failing = WRONG[name]

    score = await play(query, *replies)

    failed = {check.name: check.detail for check in score.checks if not check.ok}
    assert failing in failed
    assert failed[failing]
    assert not score.passed


def test_there_are_enough_of_them() -> None:
    assert len(WRONG) >= 20
