"""A copy cannot be told from a fresh one, and keeps what nothing touched."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.copies import Copy, look
from punie_train.data.workspaces import Scene, Workspace, materialise

FILES = {"README.md": "# w\n", "pkg/__init__.py": "", "pkg/core.py": "x = 1\n"}
WORKSPACE = Workspace("w", FILES)


def state(root: Path) -> tuple[dict[str, tuple[bytes, int]], dict[str, int], set[str]]:
    """All that is in a folder, but for what tells two files of the same name and content apart."""
    tree = look(root)
    files = {path: (found.content, found.same[1]) for path, found in tree.files.items()}
    return files, {path: same[1] for path, same in tree.folders.items()}, tree.others


def fresh(scene: Scene, folder: Path) -> Path:
    root = folder / "fresh"
    shutil.rmtree(root, ignore_errors=True)
    materialise(scene.files, root)
    return root


def extra() -> st.SearchStrategy[Mapping[str, str]]:
    paths = st.sampled_from(["a.py", "new/b.py", "new/deep/c.txt", "pkg/d.py", "pkg/core.py"])
    return st.dictionaries(paths, st.sampled_from(["", "y = 2\n", "z = 3\n"]))


def _rewritten(root: Path) -> None:
    (root / "pkg/core.py").write_text("x = 2\n")


def _replaced(root: Path) -> None:
    (root / "other").write_text(FILES["pkg/core.py"])
    (root / "other").replace(root / "pkg/core.py")


def _removed(root: Path) -> None:
    shutil.rmtree(root / "pkg")


def _gone(root: Path) -> None:
    shutil.rmtree(root)


def _added(root: Path) -> None:
    (root / "made/empty").mkdir(parents=True)
    (root / "made/notes.txt").write_text("notes\n")


def _closed(root: Path) -> None:
    (root / "pkg/core.py").chmod(0o400)
    (root / "pkg").chmod(0o500)


def _linked(root: Path) -> None:
    (root / "link.py").symlink_to("pkg/core.py")
    (root / "links").symlink_to(root.parent, target_is_directory=True)


DAMAGE: list[Callable[[Path], None]] = [
    _rewritten, _replaced, _removed, _gone, _added, _closed, _linked,
]  # fmt: skip


@given(st.lists(st.tuples(extra(), st.none() | st.sampled_from(DAMAGE)), min_size=2, max_size=5))
def test_whatever_was_done_the_next_scene_is_as_if_freshly_made(steps) -> None:
    with tempfile.TemporaryDirectory() as name:
        copy = Copy(Path(name) / "w", WORKSPACE)
        for files, damage in steps:
            scene = Scene(WORKSPACE, files)
            copy.show(scene)
            assert state(copy.root) == state(fresh(scene, Path(name)))
            if damage is not None:
                damage(copy.root)
        copy.remove()
        assert not copy.root.exists()


def test_what_scenes_have_in_common_stays(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "w", WORKSPACE)
    copy.show(Scene(WORKSPACE, {"a.py": ""}))
    before = look(copy.root)
    copy.show(Scene(WORKSPACE, {"b.py": ""}))
    after = look(copy.root)
    assert {path: after.files[path] for path in FILES} == {
        path: before.files[path] for path in FILES
    }
    assert after.files.keys() == FILES.keys() | {"b.py"}


def test_the_same_scene_again_touches_nothing(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "w", WORKSPACE)
    scene = Scene(WORKSPACE, {"new/a.py": "a = 1\n"})
    copy.show(scene)
    before = look(copy.root)
    copy.show(scene)
    assert look(copy.root) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_same_scene_again_is_mended(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    copy = Copy(tmp_path / "w", WORKSPACE)
    scene = Scene(WORKSPACE, {"new/a.py": "a = 1\n"})
    for _ in range(2):
        copy.show(scene)
        assert state(copy.root) == state(fresh(scene, tmp_path))
        damage(copy.root)
