"""Adding imports: every name is imported, and the file stays valid Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import Toolbox


@pytest.mark.parametrize(
    ("before", "statement", "after"),
    [
        ("from a import *\n", "from a import b", "from a import *\nfrom a import b\n"),
        ("from a import *\n", "from a import _b, c", "from a import *\nfrom a import _b, c\n"),
        (
            "from a import y\nfrom c import *\n",
            "from a import b",
            "from a import y\nfrom c import *\nfrom a import b\n",
        ),
        (
            "from a import *\nfrom a import y\n",
            "from a import b",
            "from a import *\nfrom a import b, y\n",
        ),
    ],
)
async def test_a_star_import_is_no_import_of_a_name(
    toolbox: Toolbox, root: Path, before: str, statement: str, after: str
) -> None:
    (root / "m.py").write_text(before)
    assert (await toolbox.cst_add_import("m.py", statement)).added
    assert (root / "m.py").read_text() == after
    assert not (await toolbox.cst_add_import("m.py", statement)).added


@pytest.mark.parametrize(
    ("before", "statement", "after"),
    [
        ("", "import a as x, a as y", "import a as x\nimport a as y\n"),
        ("", "from a import b, b as c", "from a import b, b as c\n"),
        ("'d' 'oc'\n", "import a", "'d' 'oc'\nimport a\n"),
        ("'doc'; x = 1\n", "import a", "'doc'; x = 1\nimport a\n"),
        (
            "from __future__ import annotations; x = 1\n",
            "import a",
            "from __future__ import annotations; x = 1\nimport a\n",
        ),
        ("", "from __future__ import division as d", "from __future__ import division as d\n"),
    ],
)
async def test_every_name_is_imported_and_the_file_stays_python(
    toolbox: Toolbox, root: Path, before: str, statement: str, after: str
) -> None:
    (root / "m.py").write_text(before)
    result = await toolbox.cst_add_import("m.py", statement)
    assert (result.status, (root / "m.py").read_text()) == ("clean", after)
    compile(after, "m.py", "exec")


async def test_a_future_that_python_does_not_have_is_refused(toolbox: Toolbox, root: Path) -> None:
    (root / "m.py").write_text("x = 1\n")
    result = await toolbox.cst_add_import("m.py", "from __future__ import nothing")
    assert (result.status, result.added) == ("tool_error", False)
    assert result.parse_error == "Python has no __future__ called nothing."
    assert (root / "m.py").read_text() == "x = 1\n"
