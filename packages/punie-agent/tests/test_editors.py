"""`punie init`: merged, shown, never destroyed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from punie_agent.cli import main
from punie_agent.editors import command, register_with
from punie_agent.errors import ConfigError

START = ["/opt/punie", "acp"]


def test_zed_gets_an_agent_server_and_keeps_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{\n  // dark, please\n  "theme": "One Dark",\n}\n')
    change = register_with("zed", START, file=file)
    backup = change.apply()
    assert file.read_text() == (
        '{\n  "agent_servers": {\n    "Punie": {\n      "type": "custom",\n'
        '      "command": "/opt/punie",\n      "args": [\n        "acp"\n      ],\n      "env": {}\n    }\n'
        '  },\n  // dark, please\n  "theme": "One Dark",\n}\n'
    )
    assert backup is not None
    assert backup.read_text() == '{\n  // dark, please\n  "theme": "One Dark",\n}\n'


def test_jetbrains_keeps_other_agents(tmp_path: Path) -> None:
    file = tmp_path / "acp.json"
    file.write_text('{"agent_servers": {"Other": {"command": "other"}}}')
    register_with("jetbrains", START, file=file).apply()
    assert json.loads(file.read_text()) == {
        "agent_servers": {
            "Punie": {"command": "/opt/punie", "args": ["acp"], "env": {}},
            "Other": {"command": "other"},
        }
    }


def test_neovim_gets_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "lua" / "punie.lua"
    assert register_with("neovim", ['/o"x/punie', "acp"], file=file).apply() is None
    assert 'punie = { command = "/o\\"x/punie", args = { "acp" } }' in file.read_text()


def test_the_ends_of_lines_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(b'{\r\n  // dark\r\n  "theme": "One Dark"\r\n}\r\n')
    backup = register_with("zed", START, file=file).apply()
    assert backup is not None
    assert backup.read_bytes() == b'{\r\n  // dark\r\n  "theme": "One Dark"\r\n}\r\n'
    assert file.read_bytes().endswith(b',\r\n  // dark\r\n  "theme": "One Dark"\r\n}\r\n')
    assert file.read_bytes().count(b"\n") == file.read_bytes().count(b"\r\n")


def test_registering_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    register_with("zed", START, file=file).apply()
    assert not register_with("zed", START, file=file).needed


def test_a_linked_settings_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.json", tmp_path / "settings.json"
    real.write_text("{}")
    link.symlink_to(real)
    register_with("zed", START, file=link).apply()
    assert link.is_symlink()
    assert "Punie" in real.read_text()


def test_a_settings_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    file.chmod(0o640)
    register_with("zed", START, file=file).apply()
    assert file.stat().st_mode & 0o777 == 0o640


def test_damaged_settings_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"theme": ')
    with pytest.raises(
        ConfigError, match="line 1: expected a value; repair it first, it was left alone"
    ):
        register_with("zed", START, file=file)
    assert file.read_text() == '{"theme": '


def test_settings_changed_meanwhile_are_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    change = register_with("zed", START, file=file)
    file.write_text('{"theme": "x"}')
    with pytest.raises(ConfigError, match="was changed meanwhile"):
        change.apply()
    assert file.read_text() == '{"theme": "x"}'


def test_the_registered_command_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [*command()[:-1], "--version"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PATH"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("punie ")
    assert Path(command()[0]).is_absolute()


def test_a_file_of_the_project_stands_in_for_no_module_of_the_registered_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('this is not argparse')\n")
    monkeypatch.setenv("PATH", "")  # `punie` is not to be found, as in many editors' PATH
    done = subprocess.run(
        [*command()[:-1], "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_init_shows_the_diff_and_without_a_terminal_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"
    assert main(["init", "zed", "--file", str(file)]) == 1
    assert '+    "Punie": {' in capsys.readouterr().out
    assert not file.exists()
    assert main(["init", "zed", "--file", str(file), "--dry-run"]) == 0
    assert not file.exists()
    assert main(["init", "zed", "--file", str(file), "--yes"]) == 0
    assert file.exists()
