"""What the bench remembers, and what it does each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_train.data.bench import Bench
from punie_train.data.workspaces import Scene, Workspace

FILES = {"b.txt": "2\n1\n", "old.tmp": ""}


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("find . -name '*.tmp' -delete", {"b.txt"}),
        ("find . -name '*.tmp' -exec rm {} +", {"b.txt"}),
        ("sort -o sorted.txt b.txt", {"b.txt", "old.tmp", "sorted.txt"}),
        ("sort b.txt --output=sorted.txt", {"b.txt", "old.tmp", "sorted.txt"}),
        ("echo $(rm old.tmp)", {"b.txt"}),
        ("echo a\nrm old.tmp", {"b.txt"}),
    ],
)
async def test_a_command_that_changes_files_is_run_each_time_and_its_change_is_seen(
    tmp_path: Path, command: str, made: set[str]
) -> None:
    bench = Bench(tmp_path)
    (run_command,) = bench.functions(["run_command"])
    for _ in range(2):
        bench.set_scene(Scene(Workspace("w", FILES), {}))
        assert set(str(await run_command("ls")).split()) == set(FILES)
        await run_command(command)
        assert set(str(await run_command("ls")).split()) == made
    bench.close()
    assert (bench.executed, bench.remembered) == (4, 2)


async def test_a_command_that_only_looks_is_remembered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (run_command,) = bench.functions(["run_command"])
    for _ in range(2):
        bench.set_scene(Scene(Workspace("w", FILES), {}))
        await run_command("sort b.txt")
        await run_command("find . -name '*-o*'")
    bench.close()
    assert (bench.executed, bench.remembered) == (2, 2)
