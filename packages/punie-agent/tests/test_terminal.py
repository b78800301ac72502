"""Questions on a real terminal: only an answer to the question is an answer."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, leader: int, process: subprocess.Popen[bytes]) -> None:
        self._leader = leader
        self.process = process
        self.screen = ""

    def until(self, text: str, *, times: int = 1) -> str:
        """Read until `text` was shown so often; returns everything shown so far."""
        deadline = time.monotonic() + 120
        while self.screen.count(text) < times:
            ready, _, _ = select.select([self._leader], [], [], deadline - time.monotonic())
            assert ready, self.screen
            self.screen += self._read()
        return self.screen

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._leader, text.encode())

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        while piece := self._read():
            self.screen += piece
        return self.process.wait(120)

    def _read(self) -> str:
        try:
            return os.read(self._leader, 65536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # the other side is closed
            return ""


@contextmanager
def punie(*arguments: str, cwd: Path) -> Generator[Terminal]:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "punie_agent", *arguments],
        cwd=cwd, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(follower)
    try:
        yield Terminal(leader, process)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


@pytest.mark.parametrize(
    ("answers", "written"),
    [
        (["y"], True),
        (["yes"], True),
        (["S"], True),
        (["n"], False),
        (["absolutely not", "surely not", "yikes", "", "no"], False),
    ],
)
def test_only_a_whole_word_is_an_answer(
    project: Path, data_dir: Path, answers: list[str], written: bool
) -> None:
    with punie("ask", "Write x = 1 to new.py", "--model", "test", cwd=project) as terminal:
        for number, answer in enumerate(answers, 1):
            terminal.until("[n]o: ", times=number)
            terminal.type(f"{answer}\n")
        assert terminal.end() == (0 if written else 1)
    assert (project / "new.py").exists() is written
    assert not (data_dir / "permissions").exists()


def test_always_is_told_with_what_it_covers(project: Path, data_dir: Path) -> None:
    with punie("ask", "Write x = 1 to new.py", "--model", "test", cwd=project) as terminal:
        assert "[a]lways here (write_file)" in terminal.until("[n]o: ")
        terminal.type("a\n")
        assert terminal.end() == 0
    assert len(list((data_dir / "permissions").iterdir())) == 1


def test_what_was_typed_before_the_question_does_not_answer_it(project: Path) -> None:
    with punie("chat", "--model", "test", cwd=project) as terminal:
        terminal.until("> ")
        terminal.type("Write x = 1 to new.py\nyes\nyes\nyes\n")
        terminal.until("[n]o: ")
        terminal.type("n\n")
        terminal.until("not allowed")
        assert not (project / "new.py").exists()
        terminal.type("/quit\n")
        assert terminal.end() == 0


def test_a_plan_is_answered_with_yes_or_no_alone(project: Path) -> None:
    asking = ("ask", "Write x = 1 to new.py", "--model", "test", "--plan")
    with punie(*asking, cwd=project) as terminal:
        shown = terminal.until("[n]o: ")
        assert "Allow? [y]es, [n]o: " in shown
        assert "+x = 1" in shown
        terminal.type("a\n")  # not offered: it may have been meant for "abort"
        terminal.until("[n]o: ", times=2)
        assert not (project / "new.py").exists()
        terminal.type("y\n")
        assert terminal.end() == 0
    assert (project / "new.py").read_text() == "x = 1"


def test_a_question_shows_control_characters_instead_of_obeying_them(project: Path) -> None:
    asking = ("ask", "Write \x1b[8mhidden to new.py", "--model", "test")
    with punie(*asking, cwd=project) as terminal:
        shown = terminal.until("[n]o: ")
        assert r"+\x1b[8mhidden" in shown
        assert "\x1b[8m" not in shown
        terminal.type("n\n")
        assert terminal.end() == 1


def test_interrupting_a_question_is_a_no(project: Path) -> None:
    with punie("ask", "Write x = 1 to new.py", "--model", "test", cwd=project) as terminal:
        terminal.until("[n]o: ")
        terminal.process.send_signal(2)
        assert terminal.end() == 130
    assert not (project / "new.py").exists()
