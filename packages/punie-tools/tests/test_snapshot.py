"""Snapshots: what changed on disk, as far as a type checker cares."""

from __future__ import annotations

import os
from pathlib import Path

from punie_tools._snapshot import take_snapshot

PAST = 1_700_000_000 * 10**9
FUTURE = 4_000_000_000 * 10**9


def write(path: Path, text: str, stamp: int = PAST) -> str:
    """Write a file with a time stamp, and return its path as snapshots spell it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(stamp, stamp))
    return str(path)


def test_what_was_created_changed_and_deleted_is_told(root: Path) -> None:
    changed, gone = write(root / "a.py", "x"), write(root / "pkg" / "b.pyi", "x")
    write(root / "same.ipynb", "x")
    before = take_snapshot(root)
    write(root / "a.py", "xy")
    created = write(root / "new.py", "x")
    (root / "pkg" / "b.pyi").unlink()
    assert before.changes_to(take_snapshot(root)) == {changed: 2, created: 1, gone: 3}


def test_a_file_that_can_still_change_under_its_stamp_counts_as_changed(root: Path) -> None:
    just_written = write(root / "a.py", "x", FUTURE)
    write(root / "b.py", "x")
    before = take_snapshot(root)
    assert before == take_snapshot(root)
    assert before.changes_to(take_snapshot(root)) == {just_written: 2}


def test_what_is_no_source_is_not_looked_at(root: Path) -> None:
    write(root / "data.csv", "x")
    write(root / ".git" / "hook.py", "x")
    write(root / "node_modules" / "a.py", "x")
    write(root / ".venv" / "lib" / "site-packages" / "pkg" / "a.py", "x")
    configured = write(root / "pyproject.toml", "")
    snapshot = take_snapshot(root)
    assert snapshot.sources == {}
    assert configured in snapshot.configuration
    assert str(root / ".venv" / "lib" / "site-packages") in snapshot.configuration
