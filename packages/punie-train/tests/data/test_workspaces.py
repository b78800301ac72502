"""Workspaces and the faults that are listed for them."""

import shutil
from pathlib import Path

import pytest

from punie_train.data.workspaces import Scene, materialise, read_workspaces, scene_files
from punie_train.errors import DataError


def test_a_workspace_has_its_files_and_faults(workspaces):
    shelf = read_workspaces(workspaces)["shelf"]
    assert shelf.files["README.md"].startswith("# Shelf")
    assert [(edit.file, edit.wrong) for edit in shelf.type_errors] == [
        ("shelf/books.py", "book.page >"),
        ("shelf/report.py", "mark: str = None"),
    ]


def test_a_fault_that_is_not_there_is_named(workspaces, tmp_path):
    copy = Path(shutil.copytree(workspaces, tmp_path / "copy"))
    books = copy / "shelf/shelf/books.py"
    books.write_text(books.read_text().replace("book.page >", "book.pages >"))
    with pytest.raises(DataError, match=r"shelf\.toml: .*'book\.page >' must stand exactly once"):
        read_workspaces(copy)


def test_a_list_without_its_folder_is_named(tmp_path):
    (tmp_path / "ghost.toml").write_text("")
    with pytest.raises(DataError, match="the folder ghost/ is missing"):
        read_workspaces(tmp_path)


def test_a_folder_without_workspaces_is_refused(tmp_path):
    with pytest.raises(DataError, match="no workspace"):
        read_workspaces(tmp_path)


def test_a_scene_knows_its_symbols_and_folders(world):
    scene = Scene(world.workspaces["shelf"], {"tools/x.py": "def helper() -> int:\n    return 1\n"})
    assert [(each.name, each.kind, each.file) for each in scene.symbols] == [
        ("Book", "class", "shelf/books.py"),
        ("is_long", "function", "shelf/books.py"),
        ("line", "function", "shelf/report.py"),
        ("helper", "function", "tools/x.py"),
    ]
    assert scene.folders == ["shelf", "tests", "tools"]


def test_a_records_scene_can_be_written_down_again(world, tmp_path):
    record = {"id": "r", "workspace": "shelf", "files": {"new.py": "x = 1\n"}}
    files = scene_files(record, world.workspaces)
    materialise(files, tmp_path)
    assert (tmp_path / "new.py").read_text() == "x = 1\n"
    assert (tmp_path / "shelf/books.py").read_text() == files["shelf/books.py"]


def test_a_record_of_an_unknown_workspace_is_refused(world):
    with pytest.raises(DataError, match="no workspace 'mars'"):
        scene_files({"id": "r", "workspace": "mars", "files": {}}, world.workspaces)
