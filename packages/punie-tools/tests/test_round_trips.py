"""What a tool writes comes back whole: for every parser, any report the tool can write.

ty, ruff check, pytest, git status and git diff have theirs beside their other tests.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import (
    CoverageFile,
    Diagnostic,
    DiagnosticReport,
    GitCommit,
    parse_basedpyright,
    parse_coverage,
    parse_git_log,
    parse_mypy,
    parse_pyrefly,
    parse_pyright,
    parse_ruff_format,
    parse_ty_concise,
    parse_ty_sarif,
)

pytestmark = pytest.mark.fuzz

_text = st.text(st.characters(codec="utf-8"))
#: What stands on one line of a text form, without what separates its parts.
_line = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1)
_name = st.from_regex(r"[a-z][a-z0-9_]{0,8}(/[a-z][a-z0-9_]{0,8}){0,2}\.py", fullmatch=True)
_code = st.from_regex(r"[a-z]+(-[a-z]+){0,3}", fullmatch=True)
_place = st.integers(1, 2**31 - 2)
_severity = st.sampled_from(["error", "warning", "info"])


def diagnostics(tool: str, **changes: st.SearchStrategy) -> st.SearchStrategy[list[Diagnostic]]:
    """Return a strategy for what a checker can say, with what it never says left out."""
    fields: dict[str, Any] = {
        "tool": st.just(tool),
        "file": _name,
        "line": _place,
        "column": _place,
        "end_line": _place,
        "end_column": _place,
        "severity": _severity,
        "code": _code.filter(lambda code: code != "io"),
        "message": _text,
    }
    fields |= changes
    return st.lists(st.builds(Diagnostic, **fields), min_size=1, max_size=8)


def check(report: DiagnosticReport, written: list[Diagnostic]) -> None:
    """Hold that a report is what was written, in a fixed order."""
    assert (report.status, report.parse_error) == ("findings", None)
    assert Counter(report.diagnostics) == Counter(written)
    places = [(each.file, each.line, each.column) for each in report.diagnostics]
    assert places == sorted(places)
    assert DiagnosticReport.model_validate_json(report.model_dump_json()) == report


@given(diagnostics("mypy", end_line=st.none(), end_column=st.none()))
def test_mypy(written: list[Diagnostic]) -> None:
    lines = [
        json.dumps(
            {
                "file": each.file,
                "line": each.line,
                "column": each.column - 1,
                "message": each.message,
                "hint": None,
                "code": each.code,
                "severity": {"info": "note"}.get(each.severity, each.severity),
            }
        )
        for each in written
    ]
    check(parse_mypy("\n".join(lines).encode(), b"", 1), written)


def pyright(written: list[Diagnostic]) -> bytes:
    """Return pyright's report of diagnostics."""
    severities = {"info": "information"}
    counts = Counter(each.severity for each in written)
    document = {
        "version": "1.1.400",
        "generalDiagnostics": [
            {
                "file": each.file,
                "severity": severities.get(each.severity, each.severity),
                "message": each.message,
                "rule": each.code,
                "range": {
                    "start": {"line": each.line - 1, "character": each.column - 1},
                    "end": {
                        "line": (each.end_line or 1) - 1,
                        "character": (each.end_column or 1) - 1,
                    },
                },
            }
            for each in written
        ],
        "summary": {
            "filesAnalyzed": 1,
            "errorCount": counts["error"],
            "warningCount": counts["warning"],
            "informationCount": counts["info"],
        },
    }
    return json.dumps(document).encode()


@given(diagnostics("pyright"))
def test_pyright(written: list[Diagnostic]) -> None:
    check(parse_pyright(pyright(written), b"", 1), written)


@given(diagnostics("basedpyright"))
def test_basedpyright(written: list[Diagnostic]) -> None:
    check(parse_basedpyright(pyright(written), b"", 1), written)


@given(
    diagnostics(
        "pyrefly", message=_text.filter(lambda text: not text.startswith("Failed to load "))
    )
)
def test_pyrefly(written: list[Diagnostic]) -> None:
    errors = [
        {
            "line": each.line,
            "column": each.column,
            "stop_line": each.end_line,
            "stop_column": each.end_column,
            "path": each.file,
            "name": each.code,
            "description": each.message,
            "severity": {"warning": "warn"}.get(each.severity, each.severity),
        }
        for each in written
    ]
    check(parse_pyrefly(json.dumps({"errors": errors}).encode(), b"", 1), written)


@given(diagnostics("ty"))
def test_ty_sarif(written: list[Diagnostic]) -> None:
    results = [
        {
            "level": {"info": "note"}.get(each.severity, each.severity),
            "ruleId": each.code,
            "message": {"text": each.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": each.file},
                        "region": {
                            "startLine": each.line,
                            "startColumn": each.column,
                            "endLine": each.end_line,
                            "endColumn": each.end_column,
                        },
                    }
                }
            ],
        }
        for each in written
    ]
    run = {"results": results, "tool": {"driver": {"name": "ty", "version": "0.0.105"}}}
    stdout = json.dumps({"version": "2.1.0", "runs": [run]}).encode()
    check(parse_ty_sarif(stdout, b"", 1), written)


@given(
    diagnostics(
        "ty",
        line=st.integers(1, 10**9 - 1),
        column=st.integers(1, 10**9 - 1),
        end_line=st.none(),
        end_column=st.none(),
        cell=st.none() | st.integers(1, 99),
        message=_line,
    )
)
def test_ty_concise(written: list[Diagnostic]) -> None:
    lines = [
        f"{each.file}{f':cell {each.cell}' if each.cell else ''}:{each.line}:{each.column}: "
        f"{each.severity}[{each.code}] {each.message}"
        for each in written
    ]
    footer = f"Found {len(written)} diagnostic{'s' if len(written) > 1 else ''}\n"
    report = parse_ty_concise("\n".join([*lines, footer]).encode(), b"", 1)
    assert (report.status, Counter(report.diagnostics)) == ("findings", Counter(written))


@given(st.sets(_name, min_size=1), st.integers(0, 99))
def test_ruff_format(files: set[str], formatted: int) -> None:
    lines = [f"Would reformat: {each}" for each in sorted(files)]
    footer = f"{len(files)} file{'s' if len(files) > 1 else ''} would be reformatted"
    if formatted:
        footer += f", {formatted} file{'s' if formatted > 1 else ''} already formatted"
    result = parse_ruff_format("\n".join([*lines, footer, ""]).encode(), b"", 1)
    assert (result.status, result.files) == ("findings", sorted(files))


_files = st.builds(
    CoverageFile,
    file=_name,
    statements=st.integers(0, 1000),
    covered=st.integers(0, 1000),
    missing=st.lists(_place, max_size=5).map(sorted),
)


@given(st.lists(_files, max_size=5, unique_by=lambda each: each.file))
def test_coverage(written: list[CoverageFile]) -> None:
    def summary(*files: CoverageFile) -> dict[str, int]:
        return {
            "covered_lines": sum(each.covered for each in files),
            "num_statements": sum(each.statements for each in files),
            "missing_lines": sum(len(each.missing) for each in files),
        }

    document = {
        "meta": {"version": "7.17.3"},
        "files": {
            each.file: {"summary": summary(each), "missing_lines": each.missing} for each in written
        },
        "totals": summary(*written),
    }
    result = parse_coverage(json.dumps(document).encode(), b"", 0)
    assert result.files == sorted(written, key=lambda each: each.file)
    assert result.success == any(each.statements for each in written)


_subject = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1)
_commits = st.builds(
    GitCommit,
    hash=st.text("0123456789abcdef", min_size=40, max_size=40),
    author=_subject,
    date=st.just("2026-01-02T03:04:05+01:00"),
    message=_subject,
)


@given(st.lists(_commits, min_size=1, max_size=5))
def test_git_log(written: list[GitCommit]) -> None:
    entries = [
        "\0".join([each.hash, each.author, each.date, each.message, ""]) + "\0" for each in written
    ]
    result = parse_git_log("".join(entries).encode(), b"", 0)
    assert (result.status, result.commits) == ("clean", written)
