"""What the bench remembers, and what it does each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import Toolbox
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
        await bench.set_scene(Scene(Workspace("w", FILES), {}))
        assert set(str(await run_command("ls")).split()) == set(FILES)
        await run_command(command)
        assert set(str(await run_command("ls")).split()) == made
    await bench.aclose()
    assert (bench.executed, bench.remembered) == (4, 2)


async def test_a_command_that_only_looks_is_remembered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (run_command,) = bench.functions(["run_command"])
    for _ in range(2):
        await bench.set_scene(Scene(Workspace("w", FILES), {}))
        await run_command("sort b.txt")
        await run_command("find . -name '*-o*'")
    await bench.aclose()
    assert (bench.executed, bench.remembered) == (2, 2)


async def test_scenes_of_a_workspace_are_checked_as_the_command_line_checks_them(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    typecheck, write_file = bench.functions(["typecheck", "write_file"])
    workspace = Workspace("w", {"pyproject.toml": "", "shelf.py": "class Book: ...\n"})
    scenes = [
        {"use.py": "from shelf import Book\n\nx: int = Book()\n"},
        {"use.py": "from shelf import Book\n\nx: Book = Book()\n"},
        {"use.py": "from more import Book\n\nx: int = Book()\n", "more.py": "Book = str\n"},
        {"use.py": "from more import Book\n\nx: int = Book()\n", "more.py": "Book = int\n"},
        {"use.py": "from more import Book\n\nx: int = Book()\n"},
        {"use.py": "from shelf import Book\n\nx: int = Book()\n"},
    ]
    for extra in scenes:
        await bench.set_scene(Scene(workspace, extra))
        for _ in range(2):
            told, expected = (
                await typecheck("use.py"),
                await Toolbox(bench.host).typecheck("use.py"),
            )
            assert told.model_dump(exclude={"run"}) == expected.model_dump(exclude={"run"})
            await write_file("shelf.py", "Book = int\n")
    await bench.aclose()
    assert not bench.host.roots[0].exists()
    assert bench.executed == 4 * len(scenes) - 2
