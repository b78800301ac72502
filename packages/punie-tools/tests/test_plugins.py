"""Plug-ins: a third party adds a tool by an entry point."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from punie_tools import Plugin, PluginError, Toolbox, ToolResult, load_plugins, tool
from punie_tools._calls import name_of
from punie_tools.cli import main

EXAMPLE = '''
from punie_tools import Host, ToolResult, tool
from pydantic import computed_field

class LineCount(ToolResult):
    lines: int

@tool(effect="read")
async def count_lines(host: Host, path: str, blank: bool = True) -> LineCount:
    """Count the lines of a file."""
    lines = (await host.read_text(path)).splitlines()
    return LineCount(status="clean", lines=sum(1 for each in lines if blank or each.strip()))
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that installs a distribution with one module and one entry point."""

    def install(source: str, entry: str) -> None:
        site = tmp_path / "site"
        info = site / "line_counter-1.0.dist-info"
        info.mkdir(parents=True)
        (site / "line_counter_example.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: line-counter\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[punie_tools.tools]\n{entry}\n")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, "line_counter_example", raising=False)

    return install


async def test_a_third_partys_tool_is_one_of_the_toolbox(installed, host, root: Path) -> None:
    installed(EXAMPLE, "count_lines = line_counter_example:count_lines")
    (root / "a.txt").write_text("1\n\n3\n")
    toolbox = Toolbox(host, plugins=load_plugins())
    assert toolbox.effects["count_lines"] == "read"
    count_lines = toolbox.functions()[-1]
    assert name_of(count_lines) == "count_lines"
    assert count_lines.__doc__ == "Count the lines of a file."
    assert list(inspect.signature(count_lines).parameters) == ["path", "blank"]
    assert (await count_lines("a.txt")).lines == 3
    assert (await count_lines(path="a.txt", blank=False)).lines == 2


def test_the_command_line_runs_it(installed, root: Path, capsys, monkeypatch) -> None:
    installed(EXAMPLE, "count_lines = line_counter_example:count_lines")
    (root / "a.txt").write_text("1\n\n3\n")
    monkeypatch.chdir(root)
    assert main(["run", "count_lines", "a.txt", "--blank=false"]) == 0
    assert '"lines": 2' in capsys.readouterr().out


async def _no_result(host: object, path: str) -> str:
    return path


async def _no_annotation(host: object, path) -> ToolResult:
    raise NotImplementedError


def _not_async(host: object, path: str) -> ToolResult:
    raise NotImplementedError


@pytest.mark.parametrize("function", [_no_result, _no_annotation, _not_async, 3, print])
def test_what_is_no_tool_is_refused(function) -> None:
    with pytest.raises(PluginError, match="plug-in 'odd'"):
        Plugin.of("odd", function)


def test_a_plug_in_cannot_replace_a_built_in_tool(installed, host) -> None:
    installed(EXAMPLE, "typecheck = line_counter_example:count_lines")
    with pytest.raises(PluginError, match="must not replace built-in tools: typecheck"):
        Toolbox(host, plugins=load_plugins())


def test_a_plug_in_that_cannot_be_imported_is_named(installed) -> None:
    installed("import no_such_module", "broken = line_counter_example:count_lines")
    with pytest.raises(PluginError, match="'broken' of line-counter cannot load: No module named"):
        load_plugins()


def test_a_plug_in_that_exits_when_it_is_imported_ends_nothing(
    installed, root: Path, capsys
) -> None:
    installed("raise SystemExit(0)\n", "broken = line_counter_example:count_lines")
    (root / "a.py").write_text("x: int = ''\n")
    assert main(["run", "--root", str(root), "typecheck", "a.py"]) == 1
    assert "'broken' of line-counter cannot load: 0" in capsys.readouterr().err


def test_a_tool_that_says_nothing_counts_as_execute() -> None:
    async def unmarked(host: object, path: str) -> ToolResult:
        raise NotImplementedError

    assert Plugin.of("unmarked", unmarked).effect == "execute"
    assert Plugin.of("marked", tool("write")(unmarked)).effect == "write"
