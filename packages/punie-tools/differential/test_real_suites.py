"""On the test suites of real packages, what the plugin tells is what pytest's last line says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from punie_tools import LocalHost, TestResult, Toolbox

#: Source distributions with their tests, and what these need: the pytest of their time too.
OLDER = ("pytest==8.4.2", "pytest-subtests")
SUITES = {
    "click==8.1.8": OLDER,
    "jinja2==3.1.6": ("pytest==9.2.0", "trio"),
    "flask==3.1.0": (*OLDER, "asgiref", "python-dotenv"),
}
SUBTESTS = """
def test_parts(subtests):
    for i in range(4):
        with subtests.test(i=i):
            assert i % 2
"""
WORDS = r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|subtests passed)\b"


def footer(text: str) -> dict[str, int]:
    """Return the counts of pytest's last line."""
    last = next(line for line in reversed(text.splitlines()) if re.search(r" in [\d.]+s", line))
    return {word.replace("errors", "error"): int(count) for count, word in re.findall(WORDS, last)}


def counts(result: TestResult) -> dict[str, int]:
    """Return a result's counts in the words of pytest's last line."""
    outcomes = [each.outcome for each in result.tests]
    found = {
        "passed": result.passed,
        "failed": result.failed,
        "error": result.errors,
        "skipped": result.skipped,
        "xfailed": outcomes.count("xfailed"),
        "xpassed": outcomes.count("xpassed"),
        "subtests passed": outcomes.count("subtest passed"),
    }
    return {word: count for word, count in found.items() if count}


@pytest.fixture
def suite(
    sources: Callable[[str], Path], provide: Callable[..., None]
) -> Callable[[str], tuple[Path, Toolbox]]:
    """A function that unpacks a package and gives it an environment for its tests."""

    def make(requirement: str) -> tuple[Path, Toolbox]:
        root = sources(requirement)
        provide(root, str(root), "pytest-xdist", *SUITES[requirement])
        return root, Toolbox(LocalHost(root))

    return make


async def told_and_shown(toolbox: Toolbox, path: str) -> tuple[TestResult, dict[str, int]]:
    """Return our result for a path, and the counts of a run by hand."""
    return await toolbox.pytest_run(path), footer(await toolbox.run_command("pytest", [path]))


@pytest.mark.parametrize("requirement", SUITES)
async def test_a_real_suite_counts_as_its_last_line(suite: Callable, requirement: str) -> None:
    """The suite as it is, spread over two processes, with subtests, and with a broken module."""
    root, toolbox = suite(requirement)
    whole, shown = await told_and_shown(toolbox, "tests")
    assert counts(whole) == shown
    assert whole.passed > 100

    (root / "pytest.ini").write_text("[pytest]\naddopts = -n 2\n")
    spread, shown = await told_and_shown(toolbox, "tests")
    assert counts(spread) == shown
    assert len(spread.tests) == len(whole.tests)
    (root / "pytest.ini").unlink()

    (root / "tests" / "test_zz_parts.py").write_text(SUBTESTS)
    parts, shown = await told_and_shown(toolbox, "tests")
    assert counts(parts) == shown
    assert parts.failed >= whole.failed + 2

    (root / "tests" / "test_zz_broken.py").write_text("import no_such_module\n")
    broken, shown = await told_and_shown(toolbox, "tests")
    assert (counts(broken), broken.status) == (shown, "findings")
    assert any(each.name == "tests/test_zz_broken.py" for each in broken.tests)


@pytest.mark.parametrize("requirement", SUITES)
async def test_a_real_suite_that_ends_the_process_keeps_what_went_before(
    suite: Callable, requirement: str
) -> None:
    """The suite's own outcomes are there, and the run is no success."""
    root, toolbox = suite(requirement)
    whole = await toolbox.pytest_run("tests")
    (root / "tests" / "test_zz_exit.py").write_text("import os\ndef test(): os._exit(0)\n")
    ended = await toolbox.pytest_run("tests")
    assert (ended.status, ended.success) == ("crashed", False)
    assert counts(ended) == counts(whole)
