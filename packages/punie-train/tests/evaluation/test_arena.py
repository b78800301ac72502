"""The arena's hosts remember what the type checker answered, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import Completed
from punie_train.evaluation.arena import MemoHost

CHECKER = """#!/bin/sh
# A checker that comes to no answer while it is disturbed.
if [ -e "$HOME/disturbed" ]; then
    {disturbed}
fi
echo "All checks passed!"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    return folder


def installed(root: Path, disturbed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the workspace a checker of its own, and disturb it."""
    program = root / ".venv/bin/ty"
    program.parent.mkdir(parents=True)
    program.write_text(CHECKER.format(disturbed=disturbed))
    program.chmod(0o755)
    monkeypatch.setenv("HOME", str(root.parent))
    (root.parent / "disturbed").touch()


@pytest.mark.parametrize(
    ("disturbed", "seconds"), [("kill -9 $$", 60.0), ("exec tail -f /dev/null", 0.2)]
)
async def test_a_run_that_gave_no_answer_is_not_remembered(
    disturbed: str,
    seconds: float,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(root, disturbed, monkeypatch)
    memory: dict[tuple[str, ...], Completed] = {}

    ended = await MemoHost(root, memory).run(["ty", "check", "a.py"], timeout=seconds)
    (tmp_path / "disturbed").unlink()
    again = await MemoHost(root, memory).run(["ty", "check", "a.py"])
    recalled = await MemoHost(root, memory).run(["ty", "check", "a.py"])

    assert ended.timed_out or ended.exit_code < 0
    assert (again.exit_code, again.stdout) == (0, b"All checks passed!\n")
    assert recalled is again


async def test_findings_are_an_answer_and_remembered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(root, "exit 1", monkeypatch)
    memory: dict[tuple[str, ...], Completed] = {}

    found = await MemoHost(root, memory).run(["ty", "check", "a.py"])

    assert found.exit_code == 1
    assert await MemoHost(root, memory).run(["ty", "check", "a.py"]) is found
