"""The command line."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from punie_sandbox import RunResult
from punie_sandbox.cli import main

TOOLS = '''\
from pathlib import Path

EFFECTS = {"write_file": "write"}
ROOT = Path(__file__).parent


def read_file(path: str) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text()


def write_file(path: str, content: str) -> None:
    """Replace a file."""
    (ROOT / path).write_text(content)


def _helper() -> None: ...
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tools_of_test.py").write_text(TOOLS)
    (tmp_path / "a.txt").write_text("one\n")
    return tmp_path


def snippet(folder: Path, code: str) -> str:
    path = folder / "snippet.py"
    path.write_text(code)
    return str(path)


def tools(folder: Path) -> list[str]:
    return ["--functions", str(folder / "tools_of_test.py")]


def test_stubs_prints_what_the_model_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """behaviour: cli.stubs."""
    assert main(["stubs", *tools(folder)]) == 0
    out = capsys.readouterr().out
    assert 'def read_file(path: str) -> str:\n    """Return a file\'s text."""\n' in out
    assert "_helper" not in out


def test_check_prints_findings_with_their_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """behaviour: cli.check."""
    path = snippet(folder, "x = 1\nread_file(x)")
    assert main(["check", path, *tools(folder)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{path}:2:11: Argument to function `read_file` is incorrect")
    assert main(["check", snippet(folder, "read_file('a.txt')"), *tools(folder)]) == 0
    path = snippet(folder, "read_file(3)")
    assert main(["check", path, *tools(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["code"] == "invalid-argument-type"


def test_run_prints_output_and_value(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """behaviour: cli.run."""
    assert main(["run", snippet(folder, "print('hi')\nread_file('a.txt')"), *tools(folder)]) == 0
    assert capsys.readouterr().out == "hi\n'one\\n'\n"


def test_run_prints_the_trace_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """behaviour: cli.json."""
    assert main(["run", snippet(folder, "read_file('a.txt')"), *tools(folder), "--json"]) == 0
    result = RunResult.from_json(json.loads(capsys.readouterr().out))
    assert (result.value, [call.name for call in result.calls]) == ("one\n", ["read_file"])


def test_a_failed_run_has_exit_status_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """behaviour: cli.failure."""
    assert main(["run", snippet(folder, "1 / 0"), *tools(folder)]) == 1
    assert "ZeroDivisionError: division by zero (line 1)" in capsys.readouterr().err
    assert main(["run", snippet(folder, "while True: pass"), "--max-seconds", "0.1"]) == 1
    assert "time_limit" in capsys.readouterr().err


def test_a_plan_prints_the_diff_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """behaviour: cli.plan."""
    path = snippet(folder, "write_file('a.txt', read_file('a.txt') + 'two\\n')")
    assert main(["run", path, *tools(folder), "--plan"]) == 0
    assert capsys.readouterr().out == "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+two\n"
    assert (folder / "a.txt").read_text() == "one\n"
    assert main(["run", path, *tools(folder), "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [
        {"path": "a.txt", "before": "one\n", "after": "one\ntwo\n"}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.py"], "nowhere.py cannot be read"),
        (["stubs", "--functions", "nowhere_at_all"], "cannot be imported: ModuleNotFoundError"),
        (["run", "-", "--max-seconds", "-1"], "--max-seconds must be positive"),
        (["run", "-", "--plan"], "preview"),
    ],
)
def test_wrong_usage_has_exit_status_two(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """behaviour: cli.usage."""
    monkeypatch.setattr("sys.stdin", io.StringIO("1"))
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_it_runs_as_a_module_and_reads_standard_input() -> None:
    """behaviour: cli.module."""
    done = subprocess.run(
        [sys.executable, "-m", "punie_sandbox", "run", "-"],
        input="print(6 * 7)",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
