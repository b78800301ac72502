"""The program `punie`, as a process, the way a person or a script uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from punie_agent.cli import main


def punie(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "punie_agent", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ask_prints_the_real_type_errors_on_standard_output(project: Path) -> None:
    done = punie("ask", "Check types in app.py", "--model", "test", cwd=project)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[1] == "findings: 1 errors, 0 warnings"
    assert lines[2].startswith("app.py:1:14: error[invalid-assignment]")
    assert "→ Check types in app.py" in done.stderr


def test_ask_without_a_terminal_refuses_to_write_and_says_how_to_allow_it(project: Path) -> None:
    done = punie("ask", "Write x = 1 to new.py", "--model", "test", cwd=project)
    assert "allow everything with --yes" in done.stderr
    assert "+x = 1" in done.stderr
    assert not (project / "new.py").exists()


def test_ask_with_yes_writes(project: Path) -> None:
    done = punie("ask", "Write x = 1 to new.py", "--model", "test", "--yes", cwd=project)
    assert (done.returncode, (project / "new.py").read_text()) == (0, "x = 1")


def test_ask_with_json_prints_one_object(project: Path) -> None:
    done = punie("ask", "Read app.py", "--model", "test", "--json", cwd=project)
    told = json.loads(done.stdout)
    assert told["runs"][0]["stdout"] == 'count: int = "three"\n\n'
    assert told["runs"][0]["calls"][0]["name"] == "read_file"
    assert (told["model"], told["stop_reason"], done.stderr) == ("test", "end_turn", "")


def test_ask_reads_the_prompt_from_standard_input(project: Path) -> None:
    done = punie("ask", "-", "--model", "test", cwd=project, stdin="Read app.py\n")
    assert 'count: int = "three"' in done.stdout


def test_ask_works_in_another_folder(project: Path, tmp_path: Path) -> None:
    done = punie("ask", "Read app.py", "--model", "test", "--cwd", str(project), cwd=tmp_path)
    assert 'count: int = "three"' in done.stdout


def test_a_file_outside_the_project_cannot_be_read(project: Path) -> None:
    done = punie("ask", "Read /etc/passwd", "--model", "test", cwd=project)
    assert "root:" not in done.stdout
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ask", "Hi", "--model", "nope"], 3, "punie: there is no model 'nope'. Known here: test."),
        (["ask", " "], 2, "punie: the prompt is empty"),
        (["ask", "Hi", "--cwd", "nowhere"], 2, "punie: nowhere is not a folder"),
        (["ask", "Hi", "--model", "http://127.0.0.1:9/v1#x"], 3, "no model server answers at"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(project)
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "punie ask" in capsys.readouterr().out


@pytest.mark.parametrize("module", ["punie_agent", "punie_agent.cli", "punie_agent.cli._parser"])
def test_importing_is_cheap(module: str, tmp_path: Path) -> None:
    heavy = ("pydantic", "pydantic_ai", "rich", "httpx2", "mlx")
    code = f"import sys, {module}\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
