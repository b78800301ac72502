"""What LibCST tools keep of a file's bytes, and where they show what they found."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import CstMatch, Toolbox, ToolResult

MARK = b"\xef\xbb\xbf"


async def test_an_edit_keeps_a_byte_order_mark(toolbox: Toolbox, root: Path) -> None:
    (root / "m.py").write_bytes(MARK + b"old = 1\r\n")
    assert (await toolbox.cst_rename("m.py", "old", "new")).rename_count == 1
    assert (root / "m.py").read_bytes() == MARK + b"new = 1\r\n"
    assert (await toolbox.cst_add_import("m.py", "import a")).added
    whole = MARK + b"import a\r\n\r\nnew = 1\r\n"
    assert (root / "m.py").read_bytes() == whole
    assert not (await toolbox.cst_add_import("m.py", "import a")).added
    assert (root / "m.py").read_bytes() == whole


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        (b"# coding: latin-1\nold = '\xe9'\n", "new", "m.py is not UTF-8 text (byte 25 is 0xe9)"),
        (b"# coding: latin-1\nold = 1\n", "n\u00e9", "m.py declares the encoding iso8859-1"),
        (b"a = 1\n\x0cold = 1\n", "new", "something on line 2 of m.py would be lost"),
    ],
)
async def test_what_an_edit_cannot_write_back_stays_as_it_is(
    toolbox: Toolbox, root: Path, source: bytes, name: str, said: str
) -> None:
    (root / "m.py").write_bytes(source)
    results: list[ToolResult] = [
        await toolbox.cst_rename("m.py", "old", name),
        await toolbox.cst_add_import("m.py", f"from a import {name}"),
    ]
    for result in results:
        assert result.status == "tool_error"
        assert said in (result.parse_error or "")
    assert (root / "m.py").read_bytes() == source


async def test_an_edit_in_ascii_leaves_a_declared_encoding_as_it_was(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "m.py").write_bytes(b"# coding: latin-1\nold = 1\n")
    assert (await toolbox.cst_rename("m.py", "old", "new")).success
    assert (root / "m.py").read_bytes() == b"# coding: latin-1\nnew = 1\n"


async def test_a_match_shows_its_own_line_and_not_the_comment_before(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "m.py").write_text("x = 1\n\n# why\n@d\ndef f(a: int): pass\n")
    functions = await toolbox.cst_find_pattern("m.py", "FunctionDef")
    assert functions.matches == [CstMatch(line=5, column=1, code="def f(a: int): pass")]
    annotations = await toolbox.cst_find_pattern("m.py", "Annotation")
    assert annotations.matches == [CstMatch(line=5, column=10, code="int")]
