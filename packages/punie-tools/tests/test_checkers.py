"""mypy, pyright, pyrefly, coverage, and ty's other forms: one shape, and columns that agree."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import (
    PARSERS,
    CoverageFile,
    Diagnostic,
    DiagnosticReport,
    Evidence,
    parse_coverage,
    parse_mypy,
    parse_pyrefly,
    parse_pyright,
    parse_ty_concise,
    parse_ty_sarif,
)
from punie_tools.columns import code_point_column, lines_below

DATA = Path(__file__).parent / "data"
SOURCE = (DATA / "columns.py.txt").read_text(encoding="utf-8").split("\n")
#: Where the errors of that file are, in code points, as ty counts.
PLACES = [(1, 10), (2, 16), (3, 17), (4, 16), (5, 16), (6, 17), (8, 18), (9, 12)]


def source_line(file: str, number: int) -> str:
    assert file == "columns.py"
    return SOURCE[number - 1]


def places(report: DiagnosticReport) -> list[tuple[int, int]]:
    return sorted({(each.line, each.column) for each in report.diagnostics if each.cell is None})


@pytest.mark.parametrize("recorded_by", ["mypy1.jsonl", "mypy2.jsonl"])
def test_mypys_columns_are_code_points_whatever_its_version(recorded_by: str) -> None:
    stdout = (DATA / recorded_by).read_bytes()
    assert places(parse_mypy(stdout, b"", 1, lines=source_line)) == PLACES


def test_pyrights_columns_are_code_points(recorded) -> None:
    evidence = Evidence(root=Path("/w"))
    report = parse_pyright(recorded["basedpyright"].stdout, b"", 1, evidence, lines=source_line)
    assert set(PLACES) <= set(places(report))
    assert report.run.tool_version == "1.40.2"


def test_tys_forms_agree(recorded) -> None:
    concise = parse_ty_concise(recorded["ty-concise"].stdout, b"", 1)
    sarif = parse_ty_sarif(recorded["ty-sarif"].stdout, b"", 1, Evidence(root=Path("/w")))
    assert places(concise) == PLACES

    def seen(report: DiagnosticReport) -> list[tuple]:
        python = [each for each in report.diagnostics if each.file == "columns.py"]
        return [(each.line, each.column, each.code, each.message) for each in python]

    assert seen(concise) == seen(sarif)
    assert [(each.cell, each.line, each.column) for each in concise.diagnostics if each.cell] == [
        (2, 2, 10),
        (3, 2, 10),
        (3, 2, 19),
    ]


def test_pyrefly_counts_code_points_itself(recorded) -> None:
    report = parse_pyrefly(recorded["pyrefly"].stdout, b"", 1)
    assert report.diagnostics == [
        Diagnostic(
            tool="pyrefly",
            file="columns.py",
            line=9,
            column=12,
            end_line=9,
            end_column=21,
            severity="error",
            code="unknown-name",
            message="Could not find name `undefined`",
        )
    ]


def test_the_shared_shape_becomes_the_simple_view(recorded) -> None:
    view = parse_pyrefly(recorded["pyrefly"].stdout, b"", 1).as_typecheck()
    assert (view.status, view.error_count, view.errors[0].column) == ("findings", 1, 12)


def test_lines_are_read_from_a_directory(root: Path) -> None:
    (root / "a.py").write_text('"é"; x = 1\n', encoding="utf-8")
    line = lines_below(root)
    assert (line("a.py", 1), line("a.py", 9), line("none.py", 1)) == ('"é"; x = 1', None, None)


def test_a_pipe_has_no_lines_and_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    assert lines_below(root)("pipe.py", 1) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")), st.data())
def test_every_unit_leads_to_the_same_code_point(line: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(line)))
    before = line[:index]
    assert code_point_column(len(before.encode()), "utf-8", line) == index + 1
    assert code_point_column(len(before.encode("utf-16-le")) // 2, "utf-16", line) == index + 1
    assert code_point_column(index, "code points", line) == index + 1


EMPTY_SUMMARY = {"filesAnalyzed": 1, "errorCount": 0, "warningCount": 0, "informationCount": 0}


def pyright(**changes: object) -> bytes:
    """Return a clean pyright report with changes."""
    report = {"version": "1.1", "generalDiagnostics": [], "summary": EMPTY_SUMMARY} | changes
    return json.dumps(report).encode()


NOTE = (
    b'{"file":"a.py","line":-1,"column":-1,"message":"m","hint":null,"code":null,"severity":"note"}'
)
UNREAD = {
    "line": 1,
    "column": 1,
    "path": "l.py",
    "name": "missing-import",
    "description": "Failed to load `l` from `/w/l.py`",
}


@pytest.mark.parametrize(
    ("tool", "stdout", "stderr", "exit_code", "status"),
    [
        ("mypy", b"", b"", 0, "clean"),
        ("mypy", NOTE, b"", 0, "findings"),
        ("mypy", NOTE, b"", 1, "findings"),
        ("mypy", b"", b"", 1, "unparsable"),
        ("mypy", b"Success: no issues found", b"", 0, "unparsable"),
        ("mypy", b"", b"a.py: error: Cannot read file", 2, "tool_error"),
        ("mypy", b"", b"There are no .py[i] files in directory 'e'", 2, "nothing_checked"),
        ("mypy", b"", b"", -9, "crashed"),
        ("pyright", pyright(), b"", 0, "clean"),
        ("pyright", pyright(), b"", 1, "unparsable"),
        (
            "pyright",
            pyright(summary={**EMPTY_SUMMARY, "filesAnalyzed": 0}),
            b"",
            0,
            "nothing_checked",
        ),
        ("pyright", pyright(summary={**EMPTY_SUMMARY, "errorCount": 1}), b"", 1, "unparsable"),
        ("pyright", b"No configuration file found.\n{}", b"", 0, "unparsable"),
        ("pyright", b"", b"File or directory does not exist", 4, "tool_error"),
        ("basedpyright", b"", b"", -6, "crashed"),
        ("pyrefly", b'{"errors": []}', b"", 0, "clean"),
        ("pyrefly", b'{"errors": []}', b"", 1, "unparsable"),
        ("pyrefly", b"", b"Path `/w/x.py` does not exist", 1, "tool_error"),
        ("pyrefly", b"", b"No Python files matched pattern", 1, "nothing_checked"),
        ("pyrefly", json.dumps({"errors": [UNREAD]}).encode(), b"", 1, "tool_error"),
        ("pyrefly", b"", b"bad flag", 2, "tool_error"),
        ("ty-concise", b"All checks passed!\n", b"", 0, "clean"),
        ("ty-concise", b"All checks passed!\n", b"", 1, "unparsable"),
        ("ty-concise", b"All checks passed!", b"WARN No python files found", 0, "nothing_checked"),
        ("ty-concise", b"", b"", 0, "unparsable"),
        (
            "ty-concise",
            b"error[io] `/w/x`: No such file\nFound 1 diagnostic\n",
            b"",
            1,
            "tool_error",
        ),
        ("ty-concise", b"a.py:1:2: error[x-y] m\nFound 2 diagnostics\n", b"", 1, "unparsable"),
        ("ty-concise", b"error[lint:x-y] a.py:1:2: m\nFound 1 diagnostic\n", b"", 1, "findings"),
        ("ty-concise", b"", b"ty failed", 2, "tool_error"),
        ("ty-sarif", b"{}", b"", 0, "unparsable"),
        ("ty-sarif", b"", b"bad flag", 2, "tool_error"),
        ("coverage", b"No data to report.", b"", 1, "tool_error"),
        ("coverage", b"{}", b"", 0, "unparsable"),
    ],
)
def test_each_way_a_checker_can_end_has_its_status(tool, stdout, stderr, exit_code, status) -> None:
    assert PARSERS[tool](stdout, stderr, exit_code).status == status


def test_coverage_counts_lines_and_holds_the_totals_against_them(recorded) -> None:
    stdout = recorded["coverage"].stdout
    result = parse_coverage(stdout, b"", 0)
    assert result.files == [CoverageFile(file="cov.py", statements=5, covered=4, missing=[4])]
    assert (result.status, result.percent) == ("clean", 80.0)
    assert parse_coverage(stdout, b"", 2).status == "findings"
    wrong = stdout.replace(b'"totals": {"covered_lines": 4', b'"totals": {"covered_lines": 5')
    assert parse_coverage(wrong, b"", 0).status == "unparsable"
