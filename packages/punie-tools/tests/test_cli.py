"""The command line: JSON out, and exit codes that scripts can trust."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from punie_tools import EFFECTS, PARSERS, Plugin, TypeCheckResult
from punie_tools.cli import main


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch):
    """A function that puts bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def test_list_names_every_tool_with_its_effect(capsys) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in lines] == list(EFFECTS)
    assert any("git_log(path, count=10)" in line and " read " in line for line in lines)


@pytest.mark.parametrize("tool", list(EFFECTS))
def test_schema_prints_a_valid_schema(tool: str, capsys) -> None:
    assert main(["schema", tool]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_run_prints_the_result_and_exits_by_its_status(root: Path, capsys) -> None:
    (root / "bad.py").write_text("x: int = ''\n")
    (root / "good.py").write_text("x: int = 1\n")
    at = ["run", "--root", str(root), "typecheck"]
    assert main([*at, "good.py"]) == 0
    assert main([*at, "--path=bad.py"]) == 1
    assert main([*at, "none.py"]) == 2
    assert main([*at, "../x"]) == 2
    out, err = capsys.readouterr()
    decoder, results = json.JSONDecoder(), []
    while out := out.lstrip():
        value, end = decoder.raw_decode(out)
        results.append(TypeCheckResult.model_validate(value).status)
        out = out[end:]
    assert results == ["clean", "findings", "tool_error"]
    assert err.startswith("punie-tools: ../x is outside the workspace")


def test_run_takes_values_of_every_type(root: Path, git, capsys) -> None:
    (root / "a").write_text("a\n")
    git("add", "a")
    git("commit", "-qm", "one")
    at = ["run", "--root", str(root)]
    assert main([*at, "git_log", ".", "--count", "1"]) == 0
    assert main([*at, "git_diff", ".", "--staged"]) == 0
    assert main([*at, "git_diff", ".", "--staged=false"]) == 0
    assert main([*at, "run_command", "echo", '["a b"]']) == 0
    assert capsys.readouterr().out.endswith('"a b\\n"\n')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["typecheck"], "typecheck(path) needs path"),
        (["typecheck", "a", "b"], "too many arguments for typecheck(path)"),
        (["typecheck", "--nope", "a"], "has no parameter 'nope'"),
        (["typecheck", "--path"], "--path needs a value"),
        (["git_log", ".", "--count", "ten"], "'ten' is no value for count"),
        (["git_log", ".", "--count", "9" * 5000], "is no value for count"),
        (["run_command", "a", "[" * 100_000], "is no value for args"),
        (["rm"], "there is no tool 'rm'"),
    ],
)
def test_a_wrong_call_is_explained(words: list[str], said: str, capsys) -> None:
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_words_after_two_dashes_are_values(root: Path, capsys) -> None:
    assert main(["run", "--root", str(root), "write_file", "--", "f", "--flag"]) == 0
    assert (root / "f").read_text() == "--flag"
    assert main(["run", "--root", str(root), "write_file", "--", "f", "--pretty"]) == 0
    assert (root / "f").read_text() == "--pretty"


def test_parse_reads_a_tools_output(recording, feed, capsys) -> None:
    feed(recording.stdout)
    code = main(["parse", recording.tool, "--exit-code", str(recording.exit_code), "--root", "/w"])
    result = json.loads(capsys.readouterr().out)
    assert code == {"clean": 0, "findings": 1}[result["status"]]


def test_parse_never_calls_a_failure_clean(feed, root: Path, capsys) -> None:
    (root / "stderr").write_text("ty failed: no such rule\n")
    for tool in PARSERS:
        feed(b"")
        arguments = ["parse", tool, "--exit-code", "2", "--stderr", str(root / "stderr")]
        assert main(arguments) == 2
        assert json.loads(capsys.readouterr().out)["success"] is False
    assert main(["parse", "ty", "--exit-code", "2", "--stderr", str(root / "none")]) == 2


def test_pretty_is_for_people(feed, recorded, capsys, monkeypatch) -> None:
    feed(recorded["ruff"].stdout)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["parse", "ruff", "--exit-code", "1", "--root", "/w", "--pretty"]) == 1
    shown = capsys.readouterr().out
    assert "\x1b[33mfindings\x1b[0m" in shown
    assert "a.py:3:20" in shown
    monkeypatch.delenv("FORCE_COLOR")
    feed(b"[]")
    assert main(["parse", "ruff", "--exit-code", "9", "--pretty"]) == 2
    assert capsys.readouterr().out.startswith("tool_error  violation_count: 0")


def test_every_tools_output_can_be_pretty(recording, feed, capsys) -> None:
    feed(recording.stdout)
    words = ["parse", recording.tool, "--exit-code", str(recording.exit_code)]
    assert main([*words, "--pretty"]) in {0, 1}
    assert capsys.readouterr().out.startswith(("clean", "findings"))


def test_pretty_does_not_let_output_steer_the_terminal(feed, recorded, capsys) -> None:
    feed(recorded["ruff"].stdout.replace(b"imported but", rb"\u001b[2J"))
    main(["parse", "ruff", "--exit-code", "1", "--pretty"])
    assert "\x1b" not in capsys.readouterr().out


def test_pretty_does_not_let_a_file_name_pass_for_a_result(feed, capsys) -> None:
    name = b"x\nclean  clean: True, file_count: 0"
    feed(b"# branch.oid (initial)\0? " + name + b"\0")
    main(["parse", "git-status", "--exit-code", "0", "--pretty"])
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if not line.startswith(" ")] == [
        "clean  clean: False, file_count: 1"
    ]


def test_the_installed_program_runs() -> None:
    program = Path(sys.executable).with_name("punie-tools")
    done = subprocess.run([program, "list"], capture_output=True, check=True)
    assert b"typecheck(path)" in done.stdout


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("echo '[exit code 3]'", 0),
        ("false", 2),
        ("exit 3", 2),
        ("kill -KILL $$", 2),
        ("sh -c 'kill -KILL $$'", 2),
    ],
)
def test_a_command_that_failed_is_no_answer(root: Path, command: str, code: int, capsys) -> None:
    assert main(["run", "--root", str(root), "run_command", command]) == code
    capsys.readouterr()


def test_a_command_that_ran_out_of_time_is_no_answer(root: Path, capsys) -> None:
    command = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    at = ["run", "--root", str(root), "--timeout", "0.2"]
    assert main([*at, "run_command", command]) == 2
    assert "timed out" in capsys.readouterr().out


NOT_IGNORED = """
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a program that inherits no ignored signal, as it does below `nohup`."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_children_too(root: Path, number: signal.Signals, code: int) -> None:
    os.mkfifo(root / "held")
    program = Path(sys.executable).with_name("punie-tools")
    command = [program, "run", "--root", str(root), "run_command", "exec sleep 1000 3>held"]
    command = [sys.executable, "-c", NOT_IGNORED, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        with (root / "held").open("rb") as held:  # opens once the command holds the other end
            running.send_signal(number)
            assert held.read() == b""  # comes to its end once nobody holds it
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (code, b"")
    assert err == f"punie-tools: ended by {number.name}\n".encode()


def test_parse_counts_columns_in_the_files_of_the_working_directory(
    root: Path, feed, capsys, monkeypatch
) -> None:
    (root / "a.py").write_text('s = "ééé"; x: int = ""\n', encoding="utf-8")
    record = {"file": "a.py", "line": 1, "column": 23, "message": "m", "code": "x"}
    monkeypatch.chdir(root)
    feed(json.dumps({**record, "hint": None, "severity": "error"}).encode())
    assert main(["parse", "mypy", "--exit-code", "1"]) == 1
    [diagnostic] = json.loads(capsys.readouterr().out)["diagnostics"]
    assert diagnostic["column"] == 21


def installed(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the installed program."""
    program = Path(sys.executable).with_name("punie-tools")
    env = {**os.environ, **environment}
    return subprocess.run([program, *words], capture_output=True, check=False, env=env)


def test_a_locale_without_the_characters_still_gets_json(root: Path) -> None:
    (root / "a").write_text("é😀", encoding="utf-8")
    done = installed("run", "--root", str(root), "read_file", "a", PYTHONIOENCODING="ascii")
    assert (done.returncode, json.loads(done.stdout)) == (0, "é😀")


def test_a_reader_that_has_gone_is_not_findings(root: Path) -> None:
    (root / "a").write_text("x" * 1_000_000)
    program = Path(sys.executable).with_name("punie-tools")
    command = [program, "run", "--root", str(root), "read_file", "a"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"")


def test_a_tool_that_raises_is_no_answer(capsys, monkeypatch, root: Path) -> None:
    async def broken(host: object, path: str) -> TypeCheckResult:
        raise ZeroDivisionError(path)

    plugins = {"broken": Plugin.of("broken", broken)}
    monkeypatch.setattr("punie_tools.cli.load_plugins", lambda _: plugins)
    assert main(["run", "--root", str(root), "broken", "a.py"]) == 2
    assert "ZeroDivisionError: a.py" in capsys.readouterr().err
