"""ruff: the check and the formatter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import (
    Diagnostic,
    DiagnosticFix,
    Evidence,
    LintResult,
    LintViolation,
    Toolbox,
    parse_ruff,
    parse_ruff_diagnostics,
    parse_ruff_format,
)

ROOT = Evidence(root=Path("/w"))


def record(**changes: object) -> dict:
    """Return a ruff record."""
    return {
        "cell": None,
        "code": "F401",
        "end_location": {"column": 10, "row": 1},
        "filename": "/w/a.py",
        "fix": {"applicability": "safe", "edits": [], "message": "Remove it"},
        "location": {"column": 8, "row": 1},
        "message": "`os` imported but unused",
        "name": "unused-import",
        "noqa_row": 1,
        "severity": "error",
        "url": "https://docs.astral.sh/ruff/rules/unused-import",
    } | changes


def names(root: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(path.name for path in root.iterdir())


def document(*records: dict) -> bytes:
    return json.dumps(records).encode()


def test_a_recorded_report_becomes_a_simple_view(recorded) -> None:
    result = parse_ruff(recorded["ruff"].stdout, b"", 1, ROOT)
    assert result.status == "findings"
    assert (
        LintViolation(
            file="a.py",
            line=1,
            column=8,
            code="F401",
            message="`os` imported but unused",
            fixable=True,
        )
        in result.violations
    )
    undefined = next(each for each in result.violations if each.code == "F821")
    assert (undefined.line, undefined.column, undefined.fixable) == (3, 20, False)
    assert result.violation_count == len(result.violations)
    assert result.fixable_count == sum(each.fixable for each in result.violations)


def test_the_shared_shape_keeps_everything() -> None:
    notebook = record(cell=3, filename="/w/n.ipynb", fix=None, url=None)
    unsafe = record(fix={"applicability": "unsafe", "edits": [], "message": None})
    report = parse_ruff_diagnostics(document(record(), notebook, unsafe), b"", 1, ROOT)
    common: dict[str, Any] = {
        "tool": "ruff",
        "line": 1,
        "column": 8,
        "end_line": 1,
        "end_column": 10,
        "severity": "error",
        "code": "F401",
        "message": "`os` imported but unused",
    }
    url = "https://docs.astral.sh/ruff/rules/unused-import"
    safe, not_safe = DiagnosticFix(message="Remove it", safe=True), DiagnosticFix(safe=False)
    assert report.diagnostics == [
        Diagnostic(**common, file="a.py", url=url, fix=safe),
        Diagnostic(**common, file="a.py", url=url, fix=not_safe),
        Diagnostic(**common, file="n.ipynb", cell=3),
    ]


@pytest.mark.parametrize("code", [None, "E999", "invalid-syntax"])
def test_a_syntax_error_has_one_code_on_every_version(code: str | None) -> None:
    result = parse_ruff(document(record(code=code)), b"", 1)
    assert [each.code for each in result.violations] == ["invalid-syntax"]


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "status"),
    [
        (b"[]", b"", 0, "clean"),
        (b"[]", b"warning: No Python files found under the given path(s)", 0, "nothing_checked"),
        (b"", b"warning: No Python files found under the given path(s)", 0, "nothing_checked"),
        (b"", b"", 0, "unparsable"),
        (document(record()), b"", 1, "findings"),
        (document(record()), b"", 0, "findings"),
        (document(record(code="E902", fix=None)), b"", 1, "tool_error"),
        (document(record(filename=None, location=None)), b"", 1, "tool_error"),
        (b"[]", b"", 1, "unparsable"),
        (b"", b"ruff failed", 2, "tool_error"),
        (b"[]", b"", 2, "tool_error"),
        (b"[]", b"", -11, "crashed"),
        (b"[]", b"", 101, "crashed"),
        (b"[{", b"", 1, "unparsable"),
    ],
)
def test_each_way_ruff_can_end_has_its_status(stdout, stderr, exit_code, status) -> None:
    assert parse_ruff(stdout, stderr, exit_code).status == status


@given(
    st.lists(
        st.builds(
            record,
            code=st.sampled_from(["F401", "E501", None]),
            filename=st.text(st.characters(codec="utf-8"), min_size=1),
            message=st.text(st.characters(codec="utf-8")),
            location=st.fixed_dictionaries(
                {"row": st.integers(1, 2**31 - 1), "column": st.integers(1, 2**31 - 1)}
            ),
        ),
        min_size=1,
    )
)
def test_what_ruff_writes_comes_back_complete(records: list[dict]) -> None:
    result = parse_ruff(document(*records), b"", 1)
    assert sorted(each.message for each in result.violations) == sorted(
        each["message"] for each in records
    )
    assert result.fixable_count == len(records)
    assert LintResult.model_validate_json(result.model_dump_json()) == result


async def test_the_toolbox_counts_like_ruffs_own_last_line(toolbox: Toolbox, root: Path) -> None:
    (root / "a.py").write_text("import os, sys\nx = undefined\nassert x == None\n")
    result = await toolbox.ruff_check(".")
    footer = await toolbox.run_command("ruff check --no-cache .")
    assert f"Found {result.violation_count} errors" in footer
    fixable = re.search(r"\[\*\] (\d+) fixable", footer)
    assert fixable
    assert int(fixable[1]) == result.fixable_count > 0


async def test_a_check_changes_nothing_whatever_the_project_says(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "pyproject.toml").write_text(
        "[tool.ruff]\nfix = true\nfix-only = true\nunsafe-fixes = true\noutput-format = 'grouped'\n"
    )
    (root / "a.py").write_text("import os\n")
    result = await toolbox.ruff_check("a.py")
    assert (result.violation_count, (root / "a.py").read_text()) == (1, "import os\n")
    assert names(root) == ["a.py", "pyproject.toml"]


async def test_the_toolbox_tells_clean_from_nothing_and_from_broken(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "good.py").write_text("x = 1\n")
    (root / "latin.py").write_bytes(b"# caf\xe9\n")
    (root / "syntax.py").write_text("def f(:\n")
    (root / "empty").mkdir()
    outcomes = {
        path: (await toolbox.ruff_check(path)).status
        for path in ("good.py", "empty", "none.py", "latin.py", "syntax.py")
    }
    assert outcomes == {
        "good.py": "clean",
        "empty": "nothing_checked",
        "none.py": "tool_error",
        "latin.py": "tool_error",
        "syntax.py": "findings",
    }


def test_the_formatters_list_agrees_with_its_last_line(recorded) -> None:
    result = parse_ruff_format(recorded["ruff-format"].stdout, b"", 1)
    assert (result.status, result.files, result.file_count) == (
        "findings",
        ["a.py", "t/test_a.py"],
        2,
    )


OLD = b"Would reformat: a.py\nWould reformat: dir/b.py\n2 files would be reformatted\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "status"),
    [
        (OLD, b"", 1, "findings"),
        (b"3 files already formatted\n", b"", 0, "clean"),
        (b"1 file already formatted\n", b"", 0, "clean"),
        (
            b"warning",
            b"warning: No Python files found under the given path(s)",
            0,
            "nothing_checked",
        ),
        (b"", b"", 0, "unparsable"),
        (OLD, b"", 0, "unparsable"),
        (OLD[:-40], b"", 1, "unparsable"),
        (b"3 files already formatted\n", b"", 1, "unparsable"),
        (b"", b"error: Failed to parse a.py", 2, "tool_error"),
        (b"", b"", -9, "crashed"),
    ],
)
def test_each_way_the_formatter_can_end_has_its_status(stdout, stderr, exit_code, status) -> None:
    assert parse_ruff_format(stdout, stderr, exit_code).status == status
