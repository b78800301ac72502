"""Snapshots: what changed on disk, as far as a type checker cares."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from punie_tools._snapshot import take_snapshot
from punie_tools._watched import watched_by

PAST = 1_700_000_000 * 10**9
FUTURE = 4_000_000_000 * 10**9
#: A file that nobody has touched for longer than the clock's tick.
LONG_THERE = Path(os.__file__)


def write(path: Path, text: str, stamp: int = PAST) -> str:
    """Write a file with a time stamp, and return its path as snapshots spell it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(stamp, stamp))
    return str(path)


def test_what_was_created_changed_and_deleted_is_told(root: Path) -> None:
    changed, gone = write(root / "a.py", "x"), write(root / "pkg" / "b.pyi", "x")
    (root / "same.ipynb").symlink_to(LONG_THERE)
    before = take_snapshot(root)
    write(root / "a.py", "xy")
    created = write(root / "new.py", "x")
    (root / "pkg" / "b.pyi").unlink()
    assert before.changes_to(take_snapshot(root)) == {changed: 2, created: 1, gone: 3}


def test_a_file_that_can_still_change_under_its_stamp_counts_as_changed(root: Path) -> None:
    just_written = write(root / "a.py", "x", FUTURE)
    (root / "b.py").symlink_to(LONG_THERE)
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


def test_a_file_whose_time_was_set_back_is_changed(root: Path) -> None:
    path = write(root / "a.py", "x")
    before = take_snapshot(root)
    write(root / "a.py", "y")
    assert before.sources[path] != take_snapshot(root).sources[path]


def test_importable_directories_count_as_configuration(root: Path) -> None:
    before = take_snapshot(root)
    for name in ("name_space", "some-stubs", "not importable", ".hypothesis/deep", "__pycache__"):
        (root / name).mkdir(parents=True)
    after = take_snapshot(root)
    found = {str(root / "name_space"), str(root / "some-stubs")}
    assert after.configuration.keys() - before.configuration.keys() == found
    assert after.sources == {}


def test_directories_nested_deeper_than_calls_are_looked_at(root: Path) -> None:
    source = write(root.joinpath(*["a"] * 200, "b.py"), "x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        snapshot = take_snapshot(root)
    finally:
        sys.setrecursionlimit(limit)
    assert list(snapshot.sources) == [source]


def test_a_pipe_is_no_source(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    assert take_snapshot(root).sources == {}


def test_directories_beside_the_workspace_are_looked_at_once_and_not_without_end(
    root: Path,
) -> None:
    own = write(root / "a.py", "x")
    above = write(root.parent / "above.py", "x")
    hidden = write(root.parent / ".hidden" / "b.py", "x")
    folders = [str(root.parent), str(root.parent / ".hidden")]
    assert take_snapshot(root).sources.keys() == {own}
    everything = take_snapshot(root, (), folders)
    assert (everything.sources.keys(), everything.whole) == ({own, above, hidden}, True)
    assert not take_snapshot(root, (), folders, most_outside=1).whole
    assert take_snapshot(root, (), [str(root)], most_outside=0).whole


def registered(*folders: Path) -> list[object]:
    """Return what a server registers for that reads some directories."""
    watchers = [{"globPattern": {"baseUri": each.as_uri(), "pattern": "**"}} for each in folders]
    options = {"watchers": watchers}
    return [{"method": "workspace/didChangeWatchedFiles", "registerOptions": options}]


def test_what_decides_where_modules_are_looked_for_is_watched(root: Path) -> None:
    packages = root / "env" / "lib" / "python3.14" / "site-packages"
    write(packages / "editable.pth", f"# a comment\nimport x\n{root}\n../missing\n")
    watched = watched_by(
        registered(root, packages, root / "env"),
        {"PYTHONPATH": f"{root}:{root / 'nowhere'}:relative"},
    )
    assert watched is not None
    assert watched.folders == (str(root),)
    assert set(watched.files) == {
        packages,
        packages / "editable.pth",
        packages / "../missing",
        root / "nowhere",
        root / "env" / "pyvenv.cfg",
    }


def test_a_server_that_names_no_directory_says_nothing(root: Path) -> None:
    pattern = {"watchers": [{"globPattern": "**/*.py"}]}
    for said in (
        [],
        [{"method": "workspace/didChangeWatchedFiles", "registerOptions": pattern}],
        [{"method": "workspace/didChangeWatchedFiles"}],
        registered(root / "site-packages"),
    ):
        assert watched_by(said, {}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(JSON, st.text() | JSON)
def test_whatever_a_server_registers_for_is_read(other: object, uri: object) -> None:
    options = {"watchers": [{"globPattern": {"baseUri": uri, "pattern": "**"}}]}
    for said in (
        [other],
        [{"method": "workspace/didChangeWatchedFiles", "registerOptions": other}],
        [{"method": "workspace/didChangeWatchedFiles", "registerOptions": options}],
    ):
        watched = watched_by(said, {})
        assert watched is None or all(each.startswith("/") for each in watched.folders)
