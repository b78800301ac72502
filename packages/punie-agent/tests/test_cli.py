"""The program `punie`, as a process, the way a person or a script uses it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from punie_agent.acp.store import SessionStore
from punie_agent.cli import main
from punie_agent.contract import Contract
from punie_agent.models import registry


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
    assert done.returncode == 1
    assert "allow everything with --yes" in done.stderr
    assert "+x = 1" in done.stderr
    assert not (project / "new.py").exists()


def test_ask_with_yes_writes(project: Path) -> None:
    done = punie("ask", "Write x = 1 to new.py", "--model", "test", "--yes", cwd=project)
    assert (done.returncode, (project / "new.py").read_text()) == (0, "x = 1")


def test_a_plan_that_nobody_can_agree_to_writes_nothing_and_fails(project: Path) -> None:
    done = punie("ask", "Write x = 1 to new.py", "--model", "test", "--plan", cwd=project)
    assert done.returncode == 1
    assert "That did not work. Error: PermissionError: nothing was written" in done.stdout
    assert not (project / "new.py").exists()


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


def test_chat_keeps_the_conversation_and_the_variables(project: Path) -> None:
    lines = "Read app.py\n/mode\n/mode auto\nWrite x to y.txt\n/nope\n/clear\nRead y.txt\n/quit\nRead x\n"
    done = punie("chat", "--model", "test", cwd=project, stdin=lines)
    assert done.returncode == 0
    printed = [line for line in done.stdout.splitlines() if not line.startswith(("I am", "Done"))]
    assert printed[:2] == [
        'count: int = "three"',
        "* ask           Ask before each write and each command",
    ]
    assert "Write and run without asking" in printed
    assert "Wrote 1 characters to y.txt" in printed
    assert "There is no command /nope." in printed
    assert printed[-1] == "x"


def test_chat_survives_a_model_that_is_down(project: Path) -> None:
    done = punie("chat", "--model", "http://127.0.0.1:9/v1#x", cwd=project, stdin="Hi\nHi\n")
    assert done.returncode == 0
    assert done.stderr.count("punie: no model server answers at http://127.0.0.1:9/v1") == 2


def test_chat_reads_a_file_to_its_end(project: Path, tmp_path: Path) -> None:
    script = tmp_path / "lines.txt"
    script.write_text("Read app.py\nRead app.py")
    with script.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "punie_agent", "chat", "--model", "test"],
            cwd=project, stdin=stdin, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    assert done.stdout.count('count: int = "three"') == 2


def test_models_lists_what_is_there_and_names_what_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contract: Contract
) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    registry.write_description(
        folder, name="tiny-p1", phase="p1", base="tiny", contract=contract, digests={}, made_with={}
    )
    registry.register(folder)
    assert main(["models", "--json", "--verify"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["default"] == "tiny-p1"
    assert [(each["name"], each["state"]) for each in told["models"]] == [
        ("tiny-p1", "ready"),
        ("test", "ready"),
    ]
    (folder / "weights").write_text("new")
    assert main(["models", "--verify"]) == 1
    assert "changed" in capsys.readouterr().out
    (folder / "config.json").unlink()
    assert main(["models"]) == 1
    assert "missing" in capsys.readouterr().out


def test_contract_prints_prompt_digest_stubs_or_everything(
    capsys: pytest.CaptureFixture[str], contract: Contract
) -> None:
    tools = ["--tools", ",".join(contract.tools)]
    assert main(["contract", *tools]) == 0
    assert capsys.readouterr().out == contract.system_prompt + "\n"
    assert main(["contract", *tools, "--digest"]) == 0
    assert capsys.readouterr().out == contract.digest() + "\n"
    assert main(["contract", *tools, "--stubs"]) == 0
    assert capsys.readouterr().out == contract.stubs
    assert main(["contract", *tools, "--json", "--style", "brief"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["style"], told["tools"]) == ("brief", list(contract.tools))
    assert main(["contract", "--tools", "fly"]) == 2


def test_doctor_finds_a_working_sandbox(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    assert main(["doctor", "--json", "--cwd", str(project)]) == 0
    findings = {each["what"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["sandbox"]["state"] == "ok"
    assert findings["default model"]["detail"] == "test; no model was made or registered here"
    assert findings["default model"]["fix"].startswith("make phase23")


def test_doctor_without_an_editor_says_what_to_do_after_installing_one(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "PATH"):
        monkeypatch.setenv(name, str(project / "nothing"))
    main(["doctor", "--json", "--cwd", str(project)])
    findings = {each["what"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["editors"]["detail"] == "none found"
    assert findings["editors"]["fix"].endswith("punie init zed")


def test_doctor_fails_when_the_data_folder_cannot_be_used(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNIE_DATA_DIR", str(project / "app.py"))
    assert main(["doctor", "--cwd", str(project)]) == 1
    assert "set PUNIE_DATA_DIR to a folder of yours" in capsys.readouterr().out


def test_sessions_are_listed_shown_and_deleted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = SessionStore().create(str(project))
    session.append(
        [
            {"kind": "message", "role": "system", "content": "You are Punie."},
            {"kind": "message", "role": "user", "content": "Hello"},
        ]
    )
    assert main(["sessions", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [session.header.id]
    assert main(["sessions", "show", session.header.id]) == 0
    assert capsys.readouterr().out == "--- user\nHello\n"
    assert main(["sessions", "delete", session.header.id]) == 0
    assert main(["sessions", "show", session.header.id]) == 2
    assert main(["sessions"]) == 0
    assert "No sessions yet." in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "serve-model" in capsys.readouterr().out


def test_serve_model_of_nothing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve-model", "nope"]) == 3
    assert "no model 'nope' is registered here" in capsys.readouterr().err


COMMANDS = ["ask", "chat", "acp", "serve", "init", "doctor", "models", "serve-model"]
COMMANDS += ["sessions", "trace", "contract", "completion"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "examples:\n  " in capsys.readouterr().out


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"punie {version('punie-agent')}\n"


@pytest.mark.parametrize(
    "module",
    [
        "punie_agent",
        "punie_agent.acp",
        "punie_agent.models",
        "punie_agent.cli._acp",
        "punie_agent.cli",
        "punie_agent.cli._parser",
    ],
)
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


def test_a_folder_that_looks_like_markup_is_shown_as_it_is(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = data_dir / "models" / "[q4].json"
    entry.parent.mkdir()
    entry.write_text('{"path": "/gone/[/bold]/x"}')
    for command in ("models", "doctor"):
        assert main([command]) == 1
        shown = "".join(capsys.readouterr().out.split())
        assert "[q4]" in shown
        assert "/gone/[/bold]/x" in shown


def test_a_title_that_looks_like_markup_is_listed_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    SessionStore().create("/tmp", title="[/etc/x] :key: \x1b[2J")
    assert main(["sessions"]) == 0
    listed = capsys.readouterr().out.split()
    assert {"[/etc/x]", ":key:", "\\x1b[2J"} <= set(listed)


def test_a_damaged_session_can_be_deleted_as_its_message_says() -> None:
    stored = SessionStore().create("/tmp")
    (stored.folder / "session.json").write_text("{")
    assert main(["sessions", "delete", stored.folder.name]) == 0
    assert not stored.folder.exists()
