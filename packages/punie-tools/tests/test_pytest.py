"""pytest: what the plugin tells equals what pytest's last line says, whatever happens."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import Evidence, LocalHost, TestCase, TestResult, Toolbox, parse_pytest

EVERYTHING = """
import pytest

def test_passes(): pass

def test_fails():
    assert 1 == 2

@pytest.fixture
def torn():
    yield
    raise RuntimeError("torn")

def test_fails_and_errs(torn):
    assert False

@pytest.fixture
def broken():
    raise OSError("setup")

def test_never_runs(broken): pass

@pytest.mark.skip(reason="not today")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_expected(): assert 0

@pytest.mark.xfail
def test_unexpected(): pass

@pytest.mark.xfail(strict=True, reason="strict")
def test_strict(): pass

@pytest.mark.parametrize("value", ["a::b", "é", "new\\nline"])
def test_each(value): pass
"""
SUBTESTS = """
def test_parts(subtests):
    for i in range(4):
        with subtests.test(i=i):
            assert i % 2
"""


@pytest.fixture
def toolbox(root: Path) -> Toolbox:
    """The workspace's tools, with a pytest that loads no plugin by itself, which is faster."""
    return Toolbox(LocalHost(root, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}))


def footer(text: str) -> dict[str, int]:
    """Return the counts of pytest's last line."""
    last = next(line for line in reversed(text.splitlines()) if re.search(r" in [\d.]+s", line))
    found = re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b", last)
    return {word.rstrip("s") if word == "errors" else word: int(n) for n, word in found}


def counts(result: TestResult) -> dict[str, int]:
    """Return a result's counts in the words of pytest's last line."""
    found = {
        "passed": result.passed,
        "failed": result.failed,
        "error": result.errors,
        "skipped": result.skipped,
        "xfailed": sum(each.outcome == "xfailed" for each in result.tests),
        "xpassed": sum(each.outcome == "xpassed" for each in result.tests),
    }
    return {word: count for word, count in found.items() if count}


async def told_and_shown(toolbox: Toolbox, path: str) -> tuple[TestResult, dict[str, int]]:
    """Return our result for a path, and the counts of a run by hand."""
    return await toolbox.pytest_run(path), footer(await toolbox.run_command("pytest", [path]))


async def test_every_outcome_counts_as_in_the_last_line(toolbox: Toolbox, root: Path) -> None:
    (root / "test_all.py").write_text(EVERYTHING)
    result, shown = await told_and_shown(toolbox, "test_all.py")
    assert counts(result) == shown
    assert shown == {
        "passed": 4, "failed": 3, "error": 2, "skipped": 1, "xfailed": 1, "xpassed": 1,
    }  # fmt: skip
    messages = {(each.name, each.outcome): each.message for each in result.tests}
    assert messages["test_all.py::test_fails", "failed"] == "assert 1 == 2"
    assert messages["test_all.py::test_fails_and_errs", "failed"] == "assert False"
    assert messages["test_all.py::test_fails_and_errs", "error"] == "RuntimeError: torn"
    assert messages["test_all.py::test_never_runs", "error"] == "OSError: setup"
    assert messages["test_all.py::test_skipped", "skipped"] == "Skipped: not today"
    assert messages["test_all.py::test_expected", "xfailed"] == "known"
    assert messages["test_all.py::test_strict", "failed"] == "[XPASS(strict)] strict"
    assert (result.status, result.run.exit_code) == ("findings", 1)


async def test_a_collection_error_is_an_error(toolbox: Toolbox, root: Path) -> None:
    (root / "test_good.py").write_text("def test(): pass\n")
    (root / "test_bad.py").write_text("import no_such_module\n")
    result, shown = await told_and_shown(toolbox, ".")
    assert counts(result) == shown == {"error": 1}
    assert (result.status, result.run.exit_code) == ("findings", 2)
    assert result.tests == [
        TestCase(
            name="test_bad.py",
            outcome="error",
            message="ModuleNotFoundError: No module named 'no_such_module'",
        )
    ]


async def test_subtests_count_as_in_the_last_line(toolbox: Toolbox, root: Path) -> None:
    (root / "test_parts.py").write_text(SUBTESTS)
    result, shown = await told_and_shown(toolbox, "test_parts.py")
    assert counts(result) == shown == {"failed": 3}
    assert [each.outcome for each in result.tests] == ["failed", "subtest failed", "subtest failed"]


async def test_xdist_counts_as_without_it(toolbox: Toolbox, root: Path) -> None:
    (root / "test_all.py").write_text(EVERYTHING)
    alone = await toolbox.pytest_run(".")
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p xdist -n 2\n")
    result, shown = await told_and_shown(toolbox, ".")
    assert counts(result) == shown == counts(alone)
    assert [each.name for each in result.tests] == [each.name for each in alone.tests]


async def test_a_broken_module_counts_once_under_xdist(toolbox: Toolbox, root: Path) -> None:
    (root / "test_bad.py").write_text("import no_such_module\n")
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p xdist -n 2\n")
    result, shown = await told_and_shown(toolbox, ".")
    assert counts(result) == shown == {"error": 1}


@pytest.mark.parametrize("code", [0, 1, 7])
async def test_a_test_that_ends_the_process_is_a_crash_that_keeps_what_went_before(
    toolbox: Toolbox, root: Path, code: int
) -> None:
    (root / "test_exit.py").write_text(
        f"import os\ndef test_a(): pass\ndef test_b(): os._exit({code})\ndef test_c(): pass\n"
    )
    result = await toolbox.pytest_run(".")
    assert (result.status, result.success, result.passed) == ("crashed", False, 1)
    assert [each.name for each in result.tests] == ["test_exit.py::test_a"]


HALF_WAY = """
import pytest
def test_a(): pass
def test_b(request): {stop}
def test_c(): assert 0
"""


@pytest.mark.parametrize("options", ["", "-p xdist -n 1"])
@pytest.mark.parametrize(
    ("stop", "conftest"),
    [
        ("pytest.exit('enough', returncode=0)", ""),
        (
            "request.session.shouldstop = 'enough'",
            "def pytest_sessionfinish(session): session.exitstatus = 0\n",
        ),
    ],
)
async def test_a_run_that_was_stopped_half_way_is_never_clean(
    toolbox: Toolbox, root: Path, stop: str, conftest: str, options: str
) -> None:
    (root / "test_half.py").write_text(HALF_WAY.format(stop=stop))
    (root / "conftest.py").write_text(conftest)
    (root / "pytest.ini").write_text(f"[pytest]\naddopts = {options}\n")
    result = await toolbox.pytest_run(".")
    assert not result.success
    assert result.status in {"tool_error", "crashed"}
    if not options:
        said = r"pytest was stopped \((\S+: )?enough\); [12] of 3 tests ended\."
        assert re.fullmatch(said, result.parse_error or "")


async def test_an_exit_while_tests_are_collected_is_never_clean(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "test_a.py").write_text("def test(): pass\n")
    (root / "test_b.py").write_text("import pytest\npytest.exit('enough', returncode=0)\n")
    result = await toolbox.pytest_run(".")
    assert (result.status, [each.name for each in result.tests]) == ("findings", ["test_b.py"])


@pytest.mark.parametrize(
    "options",
    ["--deselect test_some.py::test_fails", "-k 'not fails'", "-p xdist -n 2 -k 'not fails'"],
)
async def test_tests_that_were_left_out_on_purpose_do_not_count_as_missing(
    toolbox: Toolbox, root: Path, options: str
) -> None:
    (root / "test_some.py").write_text(
        "import pytest\n"
        "def test_fails(): assert 0\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_passes(n, subtests):\n"
        "    with subtests.test(): pass\n"
    )
    (root / "pytest.ini").write_text(f"[pytest]\naddopts = {options}\n")
    result = await toolbox.pytest_run(".")
    assert (result.status, result.passed) == ("clean", 3)


async def test_only_a_run_in_which_something_was_checked_is_clean(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "test_good.py").write_text("def test(): pass\n")
    (root / "test_none.py").write_text("x = 1\n")
    (root / "test_skipped.py").write_text(
        "import pytest\npytest.skip('x', allow_module_level=True)"
    )
    (root / "conf").mkdir()
    (root / "conf" / "conftest.py").write_text("import no_such_module\n")
    paths = ["test_good.py", "test_none.py", "test_skipped.py", "none.py", "test_good.py::none"]
    results = {path: await toolbox.pytest_run(path) for path in [*paths, "conf"]}
    assert {path: result.status for path, result in results.items()} == {
        "test_good.py": "clean",
        "test_none.py": "nothing_checked",
        "test_skipped.py": "nothing_checked",
        "none.py": "tool_error",
        "test_good.py::none": "tool_error",
        "conf": "tool_error",
    }
    assert "none.py" in (results["none.py"].parse_error or "")
    assert "no_such_module" in (results["conf"].parse_error or "")


async def test_a_node_id_runs_one_test(toolbox: Toolbox, root: Path) -> None:
    (root / "test_all.py").write_text(EVERYTHING)
    result = await toolbox.pytest_run("test_all.py::test_each[a::b]")
    assert [(each.name, each.outcome) for each in result.tests] == [
        ("test_all.py::test_each[a::b]", "passed")
    ]


async def test_names_are_relative_to_the_workspace_whatever_pytests_rootdir(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "pytest.ini").write_text("[pytest]\n")
    (root / "pkg" / "test_a.py").write_text("def test(): pass\n")
    result = await toolbox.pytest_run("pkg/test_a.py")
    assert [each.name for each in result.tests] == ["pkg/test_a.py::test"]


async def test_a_pytest_started_by_a_test_does_not_speak_for_it(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "test_outer.py").write_text(
        "import subprocess, sys\n"
        "def test_outer(tmp_path):\n"
        "    (tmp_path / 'test_inner.py').write_text('def test_inner(): assert 0')\n"
        "    inner = [sys.executable, '-m', 'pytest', '-p', 'punie_pytest_stream', str(tmp_path)]\n"
        "    assert subprocess.run(inner).returncode == 1\n"
    )
    result = await toolbox.pytest_run(".")
    assert [each.name for each in result.tests] == ["test_outer.py::test_outer"]
    assert result.success


def test_a_recorded_stream_becomes_a_whole_result(recorded) -> None:
    result = parse_pytest(recorded["pytest"].stdout, b"", 1, Evidence(root=Path("/w")))
    assert counts(result) == {"passed": 3, "failed": 5, "error": 2, "skipped": 1, "xfailed": 1}
    assert result.run.tool_version == "9.2.0"
    assert result.tests[-1] == TestCase(
        name="t/test_b.py", outcome="error", message="ModuleNotFoundError: No module named 'nope'"
    )


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


START = line(kind="start", pytest="9.2.0", rootdir="/w")


def stream(
    *outcomes: str, lines: int | None = None, collected: int | None = None, stopped: str = ""
) -> bytes:
    """Return the stream of a finished run with one test an outcome."""
    reports = [
        line(
            kind="report",
            nodeid=f"t.py::test_{number}",
            when="call",
            outcome="passed",
            category=outcome,
            subtest=False,
            duration=0.5,
            message="",
        )
        for number, outcome in enumerate(outcomes)
    ]
    said = len(reports) + 1 if lines is None else lines
    finish = line(
        kind="finish",
        exitstatus=0,
        duration=1.0,
        collected=len(reports) if collected is None else collected,
        ended=len(reports),
        stopped=stopped,
        lines=said,
    )
    return START + b"".join(reports) + finish


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "status"),
    [
        (stream("passed"), b"", 0, "clean"),
        (stream("passed", "xfailed", "skipped", "xpassed"), b"", 0, "clean"),
        (stream("failed"), b"", 1, "findings"),
        (stream("error"), b"", 1, "findings"),
        (stream("failed"), b"", 0, "findings"),
        (stream("passed"), b"coverage too low", 1, "tool_error"),
        (stream("passed"), b"", 2, "tool_error"),
        (stream("skipped"), b"", 0, "nothing_checked"),
        (stream(), b"", 5, "nothing_checked"),
        (stream("passed", lines=7), b"", 0, "crashed"),
        (stream("passed", collected=2), b"", 0, "tool_error"),
        (stream("passed", stopped="enough"), b"", 0, "tool_error"),
        (stream("skipped", stopped="enough"), b"", 0, "tool_error"),
        (stream("failed", stopped="enough"), b"", 2, "findings"),
        (START, b"", 0, "crashed"),
        (b"", b"", 0, "tool_error"),
        (b"", b"ImportError: punie_pytest_stream", 1, "tool_error"),
        (stream("passed"), b"", 3, "crashed"),
        (stream("passed"), b"ERROR: usage", 4, "tool_error"),
        (stream("passed"), b"", -11, "crashed"),
        (b"junk\n" + stream("passed"), b"", 0, "unparsable"),
        (stream("passed") * 2, b"", 0, "crashed"),
    ],
)
def test_each_way_pytest_can_end_has_its_status(stdout, stderr, exit_code, status) -> None:
    assert parse_pytest(stdout, stderr, exit_code).status == status


def test_a_time_too_long_for_a_number_is_still_a_result() -> None:
    """Each phase may take as long as a float can say; all of them then take no longer."""
    report = {"kind": "report", "nodeid": "t.py::t", "outcome": "passed", "subtest": False}
    stdout = START + b"".join(
        line(**report, when=when, category=category, duration=1e308, message="")
        for when, category in (("setup", ""), ("call", "passed"), ("teardown", ""))
    )
    finish = {"exitstatus": 0, "duration": 1.0, "collected": 1, "ended": 1, "stopped": ""}
    result = parse_pytest(stdout + line(kind="finish", **finish, lines=4), b"", 0)
    assert (result.status, result.tests[0].duration) == ("clean", sys.float_info.max)


@given(st.lists(st.sampled_from(["passed", "failed", "error", "skipped", "xfailed", "xpassed"])))
def test_what_the_plugin_writes_is_counted_exactly(outcomes: list[str]) -> None:
    result = parse_pytest(stream(*outcomes), b"", 1)
    assert counts(result) == {word: outcomes.count(word) for word in set(outcomes)}
    assert TestResult.model_validate_json(result.model_dump_json()) == result


def test_what_a_plugin_warns_of_does_not_hide_why_pytest_could_not_start() -> None:
    warning = b"plugin.py:306: DeprecationWarning: The option is unset.\n" * 20
    error = b"ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --nonsense\n\n"
    assert parse_pytest(b"", warning + error, 4).parse_error == (
        "pytest could not start: ERROR: usage: pytest [options]; "
        "pytest: error: unrecognized arguments: --nonsense."
    )
