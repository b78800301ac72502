"""The page of commands names every command and option that the programs have, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from support import ROOT

import punie_agent.cli
import punie_sandbox.cli
import punie_tools.cli
import punie_train.cli

PAGE = ROOT / "docs/reference/commands.md"
Main = Callable[[Sequence[str]], int]
PROGRAMS: dict[str, Main] = {
    "punie": punie_agent.cli.main,
    "punie-tools": punie_tools.cli.main,
    "punie-sandbox": punie_sandbox.cli.main,
    "punie-train": punie_train.cli.main,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_page_names_every_command_and_option(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    def shown(*words: str) -> str:
        with pytest.raises(SystemExit):
            PROGRAMS[program]([*words, "--help"])
        return capsys.readouterr().out

    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## `{program}`\n", 1)[1].split("\n## ", 1)[0]
    described = dict(re.findall(r"^\| `([a-z-]+)(.*)$", section, re.MULTILINE))
    assert set(re.findall(r"^    ([a-z][a-z-]+)(?:  |$)", shown(), re.MULTILINE)) == set(described)
    for command, about in described.items():
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", shown(command), re.MULTILINE))
        assert set(re.findall(r"`(--[a-z-]+)", about)) == options - {"--help"}, command
