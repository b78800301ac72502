"""The five questions: places as the language server counts them, and reasons when there is none."""

from __future__ import annotations

from pathlib import Path

from punie_tools import LocalHost, Toolbox


async def test_a_place_beyond_any_file_is_no_answer_and_no_error(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "a.py").write_text("x = 1\n")
    assert (await toolbox.hover("a.py", 1, 10**5000, "x")).status == "clean"
    assert (await toolbox.hover("a.py", 1, -(10**400), "x")).status == "clean"
    far = await toolbox.goto_definition("a.py", 10**5000, 1, "x")
    assert far.status == "nothing_checked"


async def test_a_preview_shows_the_line_as_the_server_counts_lines(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "a.py").write_text("x = 1\n\f\ndef foo(): ...\nfoo()\n")
    [place] = (await toolbox.goto_definition("a.py", 4, 1, "foo")).locations
    assert (place.line, place.preview) == (3, "def foo(): ...")


async def test_a_missing_server_is_named_with_how_to_get_it(root: Path, monkeypatch) -> None:
    (root / "a.py").write_text("x = 1\n")
    monkeypatch.setattr("sys.executable", str(root / "python"))
    toolbox = Toolbox(LocalHost(root, env={"PATH": "/nonexistent"}))
    hover = await toolbox.hover("a.py", 1, 1, "x")
    check = await toolbox.typecheck("a.py")
    assert hover.parse_error == check.parse_error
    assert "install it with `uv add --dev ty`" in (hover.parse_error or "")
