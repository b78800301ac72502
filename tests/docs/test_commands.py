"""The page of commands names every command and option that the programs have, and no other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from support import PROGRAMS, ROOT

PAGE = ROOT / "docs/reference/commands.md"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("program", ["punie", "punie-tools", "punie-train"])
def test_the_page_names_every_command_and_option(program: str, run: Run) -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## `{program}`\n", 1)[1].split("\n## ", 1)[0]
    described = dict(re.findall(r"^\| `([a-z-]+)(.*)$", section, re.MULTILINE))

    helped = run(PROGRAMS / program, "--help", cwd=ROOT, COLUMNS="100").stdout
    assert set(re.findall(r"^    ([a-z][a-z-]+)(?:  |$)", helped, re.MULTILINE)) == set(described)
    for command, shown in described.items():
        helped = run(PROGRAMS / program, command, "--help", cwd=ROOT, COLUMNS="100").stdout
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", helped, re.MULTILINE)) - {"--help"}
        assert set(re.findall(r"`(--[a-z-]+)", shown)) == options, command
