"""The tutorial "Teach a model your own tool": a third party's package, with no change to this repository.

The package of `examples/punie-complexity` is installed as a wheel into a folder of its own, and its project
folder is copied. Everything then happens through the programs people use.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PROGRAMS, ROOT

EXAMPLE = ROOT / "examples/punie-complexity"
Run = Callable[..., subprocess.CompletedProcess[str]]

CONTRACT = """
from punie_agent.contract import Contract, standard_functions
from punie_tools import LocalHost, Toolbox, load_plugins

toolbox = Toolbox(LocalHost("."), plugins=load_plugins())
print(Contract(standard_functions(toolbox, ["complexity"]), style="brief").system_prompt)
"""

SANDBOX = """
import asyncio, sys
from punie_agent.contract import standard_functions
from punie_sandbox import Sandbox
from punie_tools import LocalHost, Toolbox, load_plugins

async def main():
    toolbox = Toolbox(LocalHost("."), plugins=load_plugins())
    async with Sandbox(standard_functions(toolbox, ["complexity"])) as sandbox:
        result = await sandbox.run(sys.argv[1])
        print(result.status.value, *[call.effect for call in result.calls])
        print(result.stdout, *[diagnostic.hint for diagnostic in result.diagnostics], sep="")

asyncio.run(main())
"""

SUITE = """
import asyncio, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from punie_agent.testing import ScriptedModel
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.play import open_suite, play_suite, reference_play

async def main():
    loaded = open_suite(Path("data/suites/complexity.toml"))
    with TemporaryDirectory() as folder:
        arena = Arena(loaded.suite, Path("data/workspaces"), Path(folder))
        players = {
            "perfect": reference_play(loaded, arena),
            "empty": lambda query: arena.play(query, ScriptedModel(["I cannot say."])),
        }
        score = await play_suite(loaded, arena, players[sys.argv[1]], at_once=2)
    print(sum(query.passed for query in score.queries), "of", len(score.queries))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example's package installed in it, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "punie-complexity")
    subprocess.run(
        [PROGRAMS / "uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, source],
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example's folder, in which things are made."""
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("project") / "punie-complexity"))


@pytest.fixture
def here(run: Run, site: Path) -> Run:
    """Run a program with the example's package installed."""

    def call(*argv: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(*argv, cwd=cwd, check=check, PYTHONPATH=str(site), NO_COLOR="1", COLUMNS="100")

    return call


def test_the_installed_tool_is_listed_and_runs(here: Run) -> None:
    shop = ROOT / "examples/shop"
    listed = here(PROGRAMS / "punie-tools", "list", cwd=shop)
    assert "complexity(path)" in listed.stdout
    ran = here(PROGRAMS / "punie-tools", "run", "complexity", "src/shop/prices.py", cwd=shop)
    result = json.loads(ran.stdout)
    assert (result["success"], result["function_count"], result["highest"]) == (True, 3, 1)
    assert result["functions"][1] == {"name": "label", "line": 8, "score": 1}


def test_the_contract_shows_the_tool_with_its_own_result_model(here: Run, project: Path) -> None:
    done = here(sys.executable, "-c", CONTRACT, cwd=project)
    assert done.stdout.splitlines()[1] == (
        "complexity(path) -> ComplexityResult(status, parse_error, "
        "functions[FunctionComplexity(name, line, score)], success, function_count, highest)"
    )


def test_sandboxed_code_reads_the_tools_fields_and_a_wrong_one_is_found_before_it_runs(
    here: Run, project: Path
) -> None:
    path = "data/workspaces/mailbox/dates.py"
    code = f"print([f.name for f in complexity({path!r}).functions if f.score > 3])"
    done = here(sys.executable, "-c", SANDBOX, code, cwd=project)
    assert done.stdout == "ok read\n['days']\n\n"
    wrong = here(sys.executable, "-c", SANDBOX, f"print(complexity({path!r}).higest)", cwd=project)
    assert wrong.stdout.startswith("check_failed\ndid you mean `.highest`?")


def test_the_suite_is_passed_by_its_own_solutions_and_by_nothing_that_says_nothing(
    here: Run, project: Path
) -> None:
    perfect = here(sys.executable, "-c", SUITE, "perfect", cwd=project)
    assert perfect.stdout == "6 of 6\n"
    empty = here(sys.executable, "-c", SUITE, "empty", cwd=project)
    assert empty.stdout == "0 of 6\n"


def test_the_chain_teaches_and_scores_the_tool_in_the_packages_own_folder(
    here: Run, project: Path
) -> None:
    here(PROGRAMS / "punie-train", "make", "phase1", "--model", "tiny-moe", cwd=project)

    made = project / "build/phase1-tiny-moe"
    rows = [
        json.loads(line)
        for split in ("train", "valid", "test")
        for line in (made / f"data/merged/{split}.jsonl").read_text().splitlines()
    ]
    assert len(rows) == 200
    calls = [call for row in rows for run in row["trace"] for call in run["calls"]]
    assert {call["name"] for call in calls} == {"complexity"}
    assert all(call["result"]["functions"] for call in calls)

    described = json.loads((made / "quantized/punie.json").read_text())
    assert described["contract"]["tools"] == ["complexity", "read_file"]
    report = json.loads((made / "report.json").read_text())
    assert "complexity" in json.dumps(report)

    again = here(PROGRAMS / "punie-train", "make", "phase1", "--model", "tiny-moe", cwd=project)
    assert "──" not in again.stdout + again.stderr
