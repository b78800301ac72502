"""Containment: no path of a tool leads out of the workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import OutsideRootsError, Toolbox
from punie_tools.paths import as_argument, contain, display

TOOLS_WITH_A_PATH = ["typecheck", "ruff_check", "pytest_run", "git_status", "git_diff", "git_log"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "..", "/", "\0"])
def test_a_path_outside_the_roots_is_refused(root: Path, path: str) -> None:
    with pytest.raises(OutsideRootsError, match=r"outside the workspace|not a usable path"):
        contain(path, [root])


def test_a_link_that_leads_outside_is_refused(root: Path) -> None:
    (root.parent / "secret").write_text("s")
    (root / "link").symlink_to("../secret")
    (root / "up").symlink_to("..")
    for path in ("link", "up/secret"):
        with pytest.raises(OutsideRootsError):
            contain(path, [root])


def test_a_link_loop_is_refused_or_stays_inside(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    with pytest.raises(OutsideRootsError, match="not a usable path"):
        contain("loop/x", [root])


def test_a_second_root_is_inside(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    assert contain(other / "x", [root, other]) == other / "x"


def test_a_directory_whose_name_begins_like_the_root_is_outside(root: Path) -> None:
    with pytest.raises(OutsideRootsError):
        contain(f"{root}-not/x", [root])


@pytest.mark.parametrize("name", TOOLS_WITH_A_PATH)
async def test_every_tool_refuses_a_path_outside_with_a_permission_error(
    toolbox: Toolbox, name: str
) -> None:
    [tool] = toolbox.functions([name])
    with pytest.raises(PermissionError, match="outside the workspace"):
        await tool("../elsewhere")


def test_an_argument_is_never_an_option(root: Path) -> None:
    assert as_argument(root / "-rf", root) == "./-rf"
    assert as_argument(root / "@file", root) == "./@file"
    assert as_argument(root / "a b", root) == "a b"
    assert as_argument(root, root) == "."


def test_files_are_shown_relative_to_the_root_and_absolute_outside(root: Path) -> None:
    assert display(root / "a" / "b.py", root) == "a/b.py"
    assert display("/usr/lib/x.py", root) == "/usr/lib/x.py"
    assert display("./a.py", root) == "a.py"


@given(st.binary().map(os.fsdecode) | st.text(st.characters(exclude_categories=())))
def test_every_name_is_shown_as_text_that_can_be_written(name: str) -> None:
    shown = display(name, None)
    assert shown.encode().decode() == shown
    if name.encode(errors="ignore") == name.encode(errors="surrogatepass"):
        assert shown == name.removeprefix("./")


def test_bytes_that_are_no_text_are_shown_as_such_and_passed_on_as_they_are(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    assert display(root / name, root) == "caf\\xe9.py"
    assert os.fsencode(as_argument(root / name, root)) == b"caf\xe9.py"


@given(st.text())
def test_containment_holds_for_any_text(text: str) -> None:
    root = Path("/nowhere/root")
    try:
        resolved = contain(text, [root])
    except OutsideRootsError:
        return
    assert resolved.is_relative_to(root)
