"""Calls are compared as what they mean: paths as paths, commands as a shell reads them."""

from __future__ import annotations

import pytest

from punie_train.evaluation.calls import (
    command_line,
    matches,
    missing_steps,
    only_looks,
    runs_type_checker,
    unwanted_calls,
)
from punie_train.evaluation.suite import Argument, CallPattern, Step
from punie_train.evaluation.turn import CallMade, fields_read


def call(tool: str, **arguments: object) -> CallMade:
    return CallMade(tool, arguments)


@pytest.mark.parametrize(
    "path", ["src/app/", "src/app", "./src/app", "src//app/.", "/work/src/app"]
)
def test_a_path_is_the_same_however_it_is_spelt(path: str) -> None:
    wanted = CallPattern(tool="typecheck", args={"path": "src/app/"})

    assert matches(wanted, call("typecheck", path=path), root="/work")


@pytest.mark.parametrize(
    "path", ["src", "src/app/x.py", "app", "src/application", "/other/src/app"]
)
def test_another_path_is_another_call(path: str) -> None:
    wanted = CallPattern(tool="typecheck", args={"path": "src/app/"})

    assert not matches(wanted, call("typecheck", path=path), root="/work")


def test_a_folder_covers_what_is_in_it() -> None:
    wanted = CallPattern(tool="typecheck", args={"path": Argument(covers="src/app/x.py")})

    assert [
        matches(wanted, call("typecheck", path=p)) for p in (".", "src", "src/app/x.py", "sr")
    ] == [
        True,
        True,
        True,
        False,
    ]


def test_a_command_and_its_arguments_are_one_line() -> None:
    assert (
        command_line(call("run_command", command="find src -name '*.py'")) == "find src -name *.py"
    )
    assert (
        command_line(call("run_command", command="find", args=["src", "-name", "*.py"]))
        == "find src -name *.py"
    )
    assert command_line(call("run_command", command="echo 'unclosed")) == "echo 'unclosed"


@pytest.mark.parametrize(
    "command",
    [
        "ty check src",
        "uvx ty check",
        "python -m mypy src",
        ".venv/bin/ty check",
        "pyright",
        "uv run ty check .",
    ],
)
def test_a_type_checker_run_as_a_command_is_noticed(command: str) -> None:
    assert runs_type_checker(call("run_command", command=command))


@pytest.mark.parametrize(
    "command", ["ls", "grep -rn type .", "cat empty.py", "git log", "sed -n 1,9p a.py"]
)
def test_commands_that_only_look_are_harmless(command: str) -> None:
    assert only_looks(call("run_command", command=command))
    assert not runs_type_checker(call("run_command", command=command))


@pytest.mark.parametrize(
    "command",
    [
        "rm -r src",
        "find . -delete",
        "cat a > b",
        "ls; rm a",
        "sed -i s/a/b/ x",
        "python x.py",
        "git commit",
    ],
)
def test_commands_with_effects_are_not_looking(command: str) -> None:
    assert not only_looks(call("run_command", command=command))


def test_steps_in_order_must_come_in_order() -> None:
    check = Step(any=[CallPattern(tool="typecheck")])
    write = Step(any=[CallPattern(tool="write_file")])
    made = [call("write_file", path="a.py"), call("typecheck", path="a.py")]

    assert missing_steps([write, check], made, in_order=True) == []
    assert missing_steps([check, write], made, in_order=True) == [write]
    assert missing_steps([check, write], made, in_order=False) == []
    assert missing_steps([check, check], made, in_order=False) == [check]


def test_a_call_that_failed_does_not_count() -> None:
    step = Step(any=[CallPattern(tool="read_file")])
    failed = CallMade("read_file", {"path": "a"}, error="FileNotFoundError: a")

    assert missing_steps([step], [failed], in_order=False) == [step]


def test_effects_nobody_asked_for_are_unwanted() -> None:
    step = Step(any=[CallPattern(tool="write_file", args={"path": "a.py"})])
    good, bad = call("write_file", path="a.py"), call("write_file", path="b.py")

    assert unwanted_calls([step], [], [], [good, bad, call("read_file", path="c")]) == [bad]
    assert unwanted_calls(
        [step], [], [CallPattern(tool="read_file")], [call("read_file", path="c")]
    )


def test_fields_are_read_in_many_ways() -> None:
    code = (
        "from operator import attrgetter\n"
        "r = typecheck('x')\nprint(r.error_count, getattr(r, 'success'))\n"
        "match r:\n    case TypeCheckResult(warning_count=n):\n        pass\n"
        "sorted(r.errors, key=attrgetter('location.line'))\nr.mine = 1"
    )

    assert fields_read(code) >= {"error_count", "success", "warning_count", "errors", "line"}
    assert "mine" not in fields_read(code)
    assert fields_read("not python at all") == frozenset()
