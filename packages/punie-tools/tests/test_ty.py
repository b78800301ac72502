"""ty: the table of what it really prints, and the toolbox on the real thing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import Evidence, LocalHost, Toolbox, TypeCheckError, TypeCheckResult, parse_ty

NO_FILES = b"WARN No python files found under the given path(s)\n"
IO_RECORD = {
    "check_name": "io",
    "description": "io: `/w/missing.py`: No such file or directory (os error 2)",
    "severity": "major",
    "fingerprint": "482aa4d4dbea8467",
    "location": {
        "path": "",
        "positions": {"begin": {"line": 1, "column": 1}, "end": {"line": 1, "column": 1}},
    },
}


def record(error: TypeCheckError) -> dict:
    """Return the gitlab record ty writes for a diagnostic."""
    begin = {"line": error.line, "column": error.column}
    severity = {"error": "major", "warning": "minor", "info": "info"}[error.severity]
    return {
        "check_name": error.code,
        "description": f"{error.code}: {error.message}",
        "severity": severity,
        "fingerprint": "77ae48826b9bcd8b",
        "location": {"path": error.file, "positions": {"begin": begin, "end": begin}},
    }


def document(*records: dict) -> bytes:
    return json.dumps(records).encode()


ERROR = TypeCheckError(
    file="a.py", line=1, column=10, severity="error", code="invalid-assignment", message="No."
)


def test_a_recorded_report_becomes_a_whole_result(recorded) -> None:
    result = parse_ty(recorded["ty"].stdout, b"", 1, Evidence(tool_version="0.0.105"))
    assert result.model_dump() == {
        "status": "findings",
        "parse_error": None,
        "run": {
            "argv": [],
            "exit_code": 1,
            "tool_version": "0.0.105",
            "stderr_tail": "",
            "duration": None,
        },
        "errors": [
            {
                "file": "a.py",
                "line": 3,
                "column": 10,
                "severity": "error",
                "code": "invalid-assignment",
                "message": 'Object of type `Literal["😀é"]` is not assignable to `int`',
            },
            {
                "file": "a.py",
                "line": 3,
                "column": 20,
                "severity": "error",
                "code": "unresolved-reference",
                "message": "Name `undefined` used when not defined",
            },
        ],
        "success": False,
        "error_count": 2,
        "warning_count": 0,
    }


WARNING = ERROR.model_copy(update={"severity": "warning"})
FATAL = {**record(ERROR), "severity": "critical"}


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "version", "status", "said"),
    [
        (b"[]", b"", 0, None, "clean", None),
        (b"[]\n", b"", 0, None, "clean", None),
        (b"", b"", 0, "0.0.13", "clean", None),
        (b"", b"", 0, "0.0.1a21", "clean", None),
        (b"", b"", 0, "0.0.14", "unparsable", "wrote no report"),
        (b"", b"", 0, None, "unparsable", "wrote no report"),
        (b"", b"", 1, None, "unparsable", "wrote no report"),
        (b"[]", NO_FILES, 0, None, "nothing_checked", "no Python file"),
        (b"", NO_FILES, 0, "0.0.5", "nothing_checked", "no Python file"),
        (document(record(ERROR)), b"", 1, None, "findings", None),
        (document(record(WARNING)), b"", 0, "0.0.40", "findings", None),
        (b"[]", b"", 1, None, "unparsable", "names none"),
        (document(IO_RECORD), b"", 2, None, "tool_error", "could not read a path"),
        (document(IO_RECORD), b"", 0, None, "tool_error", "missing.py"),
        (b"", b"error: unexpected argument '--x'", 2, None, "tool_error", "unexpected argument"),
        (b"", b"", 2, None, "tool_error", "did not say why"),
        (b"[]", b"ty failed", 2, None, "tool_error", "ty failed"),
        (document(FATAL), b"", 1, None, "crashed", "error of its own"),
        (document(record(ERROR)), b"panicked", 101, None, "crashed", "exit code 101"),
        (b"", b"", -9, None, "crashed", "killed by SIGKILL"),
        (b"", b"", -6, None, "crashed", "killed by SIGABRT"),
        (b"", b"", 130, None, "crashed", "killed by SIGINT"),
        (b"[]", b"", 77, None, "tool_error", "exit code 77"),
        (b"not json", b"", 1, None, "unparsable", "not what ty writes"),
        (b"{}", b"", 0, None, "unparsable", "not what ty writes"),
        (b"null", b"", 0, None, "unparsable", "not what ty writes"),
    ],
)
def test_each_way_ty_can_end_has_its_status(
    stdout: bytes, stderr: bytes, exit_code: int, version: str | None, status: str, said: str | None
) -> None:
    result = parse_ty(stdout, stderr, exit_code, Evidence(tool_version=version))
    assert result.status == status
    assert result.success == (status == "clean")
    assert (result.parse_error is None) == (said is None)
    assert said is None or said in (result.parse_error or "")


def test_a_timeout_and_cut_output_are_no_answer() -> None:
    late = parse_ty(b"[]", b"", 0, Evidence(timed_out=True, duration=2.0))
    assert (late.status, late.parse_error) == (
        "timeout",
        "ty was ended after 2 s: it ran past its timeout.",
    )
    assert parse_ty(b"[]", b"", 0, Evidence(cut=True)).status == "unparsable"


def test_what_could_be_read_is_kept_beside_what_could_not() -> None:
    result = parse_ty(document(IO_RECORD, record(ERROR)), b"", 2)
    assert (result.status, result.errors) == ("tool_error", [ERROR])


def test_absolute_paths_become_relative_to_the_root() -> None:
    inside = ERROR.model_copy(update={"file": "/w/pkg/a.py"})
    outside = ERROR.model_copy(update={"file": "/x/a.py"})
    result = parse_ty(document(record(inside), record(outside)), b"", 1, Evidence(root=Path("/w")))
    assert [each.file for each in result.errors] == ["/x/a.py", "pkg/a.py"]


_errors = st.builds(
    TypeCheckError,
    file=st.text(st.characters(codec="utf-8"), min_size=1),
    line=st.integers(1, 2**31 - 1),
    column=st.integers(1, 2**31 - 1),
    severity=st.sampled_from(["error", "warning", "info"]),
    code=st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda code: code != "io"),
    message=st.text(st.characters(codec="utf-8")),
)


@given(st.lists(_errors, min_size=1))
def test_what_ty_writes_comes_back_sorted_and_complete(errors: list[TypeCheckError]) -> None:
    stdout = document(*map(record, errors))
    result = parse_ty(stdout, b"", 1)

    def place(error: TypeCheckError) -> tuple:
        return (error.file, error.line, error.column, error.code, error.message)

    assert sorted(result.errors, key=place) == result.errors
    assert sorted(map(repr, result.errors)) == sorted(map(repr, errors))
    assert result.error_count == sum(each.severity == "error" for each in errors)
    assert TypeCheckResult.model_validate_json(result.model_dump_json()) == result


async def test_the_toolbox_finds_errors_by_code_points(toolbox: Toolbox, root: Path) -> None:
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text('"😀é"; x: int = "s"\n')
    result = await toolbox.typecheck("src")
    assert result.errors == [
        TypeCheckError(
            file="src/a.py",
            line=1,
            column=16,
            severity="error",
            code="invalid-assignment",
            message='Object of type `Literal["s"]` is not assignable to `int`',
        )
    ]
    assert (result.status, result.error_count, result.run.exit_code) == ("findings", 1, 1)
    assert result.run.argv[:2] == ["ty", "check"]
    assert result.run.tool_version is not None


async def test_the_toolbox_tells_clean_from_nothing_and_from_broken(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "good.py").write_text("x: int = 1\n")
    (root / "latin.py").write_bytes(b"# caf\xe9\n")
    (root / "empty").mkdir()
    (root / "-q").mkdir()
    (root / "-q" / "bad.py").write_text("x: int = ''\n")
    outcomes = {
        path: (await toolbox.typecheck(path)).status
        for path in ("good.py", "empty", "none.py", "latin.py", "-q")
    }
    assert outcomes == {
        "good.py": "clean",
        "empty": "nothing_checked",
        "none.py": "tool_error",
        "latin.py": "tool_error",
        "-q": "findings",
    }


async def test_a_broken_configuration_is_no_answer(toolbox: Toolbox, root: Path) -> None:
    (root / "good.py").write_text("x: int = 1\n")
    (root / "pyproject.toml").write_text("[tool.ty\n")
    result = await toolbox.typecheck(".")
    assert result.status == "tool_error"
    assert "pyproject.toml" in (result.parse_error or "")


async def test_the_callers_environment_does_not_change_the_answer(root: Path, monkeypatch) -> None:
    (root / "a.py").write_text("x: int = ''\n")
    monkeypatch.setenv("CI_PROJECT_DIR", "/elsewhere")
    monkeypatch.setenv("TY_OUTPUT_FORMAT", "full")
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = await Toolbox(LocalHost(root)).typecheck("a.py")
    assert [(each.file, each.line) for each in result.errors] == [("a.py", 1)]


@pytest.mark.parametrize("level", ["off", "error", "trace"])
async def test_a_silenced_ty_still_says_that_it_checked_nothing(root: Path, level: str) -> None:
    class Passing(LocalHost):
        """A host that leaves the caller's environment as it is."""

        def environment(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
            """Put the variable where no scrubbing reaches."""
            return super().environment({"TY_LOG": level, **(changes or {})})

    (root / "empty").mkdir()
    for host in (LocalHost(root, env={**os.environ, "TY_LOG": level}), Passing(root)):
        result = await Toolbox(host).typecheck("empty")
        assert (result.status, result.success) == ("nothing_checked", False)


def fake(root: Path, name: str, script: str) -> None:
    """Put a program into the workspace's own environment, where it wins."""
    program = root / ".venv" / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("tool", ["ty", "ruff", "pytest", "git"])
async def test_a_missing_tool_is_named_with_how_to_get_it(root: Path, tool: str, tmp_path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    fake(root, tool, "exit 0")
    (root / ".venv" / "bin" / tool).chmod(0o644)

    class Bare(LocalHost):
        """A host of a machine without any tools."""

        def find_program(self, name: str) -> str:
            """Look nowhere but in an empty directory."""
            return super().find_program(str(empty / name))

    host = Bare(root)
    call = {"ty": "typecheck", "ruff": "ruff_check", "pytest": "pytest_run", "git": "git_status"}
    [function] = Toolbox(host).functions([call[tool]])
    result = await function(".")
    assert result.status == "tool_error"
    assert "install it with" in result.parse_error


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("kill -KILL $$", "crashed"),
        ("exit 0", "unparsable"),
        ("echo '[]'; exit 1", "unparsable"),
        ("echo '[{'", "unparsable"),
        ("sleep 1000", "timeout"),
        ("echo 'ty: command not found' >&2; exit 127", "tool_error"),
    ],
)
async def test_a_ty_that_dies_hangs_or_lies_never_reads_as_success(
    root: Path, script: str, status: str
) -> None:
    (root / "a.py").write_text("x = 1\n")
    fake(root, "ty", f'if [ "$1" = --version ]; then echo ty 0.0.105; exit; fi\n{script}')
    result = await Toolbox(LocalHost(root), timeout=0.5).typecheck(".")
    assert (result.status, result.success) == (status, False)


async def test_a_ty_that_floods_its_output_is_cut_and_is_no_answer(root: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    fake(root, "ty", "echo '[]'; head -c 50000000 /dev/zero | tr '\\0' ' '")
    result = await Toolbox(LocalHost(root, output_limit=1000)).typecheck(".")
    assert (result.status, result.parse_error) == (
        "unparsable",
        "ty wrote more than the output limit; it was cut.",
    )


async def test_two_checks_at_once_do_not_disturb_each_other(toolbox: Toolbox, root: Path) -> None:
    (root / "a.py").write_text("x: int = ''\n")
    (root / "b.py").write_text("x = 1\n")
    first, second = await asyncio.gather(toolbox.typecheck("a.py"), toolbox.typecheck("b.py"))
    assert (first.status, second.status) == ("findings", "clean")
