"""On real packages, everything a tool says must be the same thing said another way."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from punie_tools import (
    Completed,
    DiagnosticReport,
    Evidence,
    LocalHost,
    Toolbox,
    TypeCheckResult,
    parse_ruff,
    parse_ty,
    parse_ty_concise,
    parse_ty_sarif,
)

PACKAGES = ["click==8.1.8", "flask==3.1.0", "attrs==25.3.0", "jinja2==3.1.6", "networkx==3.4.2"]
Place = tuple[str, int, int, str]


async def ty(host: LocalHost, form: str) -> Completed:
    """Run ty with a form of report."""
    command = ["ty", "check", "--output-format", form, "--no-progress", "--color", "never", "."]
    return await host.run(command)


def places(result: DiagnosticReport | TypeCheckResult) -> Counter[Place]:
    """Return where a result has how many diagnostics of which code."""
    found = result.errors if isinstance(result, TypeCheckResult) else result.diagnostics
    return Counter((each.file, each.line, each.column, each.code or "") for each in found)


def junit(stdout: bytes, root: Path) -> Counter[Place]:
    """Return the same of the one form that has no parser, since it says the least."""
    found: Counter[Place] = Counter()
    for suite in ElementTree.fromstring(stdout).iter("testsuite"):  # noqa: S314 - the output of ty on our own files
        for case in suite.iter("testcase"):
            if case.find("failure") is not None:
                file = suite.get("name", "").removeprefix(f"{root}/")
                line, column = int(case.get("line", "0")), int(case.get("column", "0"))
                found[file, line, column, case.get("name", "").removeprefix("org.ty.")] += 1
    return found


@pytest.mark.parametrize("package", PACKAGES)
async def test_all_forms_of_ty_say_the_same(sources: Callable[[str], Path], package: str) -> None:
    """Gitlab, SARIF, concise, junit and the last line agree."""
    host = LocalHost(sources(package))
    root = host.roots[0]
    done = {form: await ty(host, form) for form in ("gitlab", "sarif", "concise", "junit")}

    def read(parse: Callable, form: str):
        one = done[form]
        return parse(one.stdout, one.stderr, one.exit_code, Evidence.of(one, root=root))

    gitlab = places(read(parse_ty, "gitlab"))
    assert gitlab == places(read(parse_ty_sarif, "sarif"))
    assert gitlab == places(read(parse_ty_concise, "concise"))
    assert gitlab == junit(done["junit"].stdout, root)
    footer = re.search(rb"Found (\d+) diagnostics?\s*\Z", done["concise"].stdout)
    assert (int(footer[1]) if footer else 0) == sum(gitlab.values()) > 0


@pytest.mark.parametrize("package", PACKAGES)
async def test_the_daemon_says_what_the_command_line_says(
    sources: Callable[[str], Path], package: str
) -> None:
    """Before and after each of three edits on disk."""
    host = LocalHost(sources(package))
    root = host.roots[0]
    edited = max(sorted(root.rglob("*.py")), key=lambda path: path.stat().st_size)
    async with Toolbox(host, daemon=True) as daemon:
        assert places(await daemon.typecheck(".")) == places(await Toolbox(host).typecheck("."))
        for number in range(3):
            with edited.open("a", encoding="utf-8") as stream:
                stream.write(f"\nedited_{number}: int = 'x'\n")
            answer = await daemon.typecheck(".")
            assert answer.run.argv == ["ty", "server"]
            assert places(answer) == places(await Toolbox(host).typecheck("."))


@pytest.mark.parametrize("package", PACKAGES)
async def test_ruffs_report_counts_as_its_last_line(
    sources: Callable[[str], Path], package: str
) -> None:
    """Violations, and those with a safe fix."""
    host = LocalHost(sources(package))
    base = ["ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,UP,B", "."]
    report, shown = await asyncio.gather(
        host.run([*base, "--output-format", "json"]),
        host.run([*base, "--output-format", "concise"]),
    )
    result = parse_ruff(report.stdout, report.stderr, report.exit_code)
    text = shown.stdout.decode()
    found = re.search(r"Found (\d+) errors?", text)
    fixable = re.search(r"\[\*\] (\d+) fixable", text)
    assert result.violation_count == (int(found[1]) if found else 0) > 0
    assert result.fixable_count == (int(fixable[1]) if fixable else 0)
