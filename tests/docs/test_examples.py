"""The code in README and docs, executed: Python blocks, and `punie` commands with the output they show.

A ```python block runs; a document's blocks share one namespace. In a ```console block each line that
begins with `$ ` runs in a small project (examples/shop), and what it prints must be what stands below
it, where `...` stands for anything. A block that cannot run here (it needs a GPU, an editor, ten minutes)
is preceded by a comment that says why: `<!-- not run: REASON -->`. Other blocks (TOML, JSON, text) are
parsed where their language allows it.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOP = ROOT / "examples/shop"
PROGRAMS = {"punie", "punie-tools", "punie-train", "make", "python", "cat"}
"""What a console block may run; anything else needs a `not run` comment."""

_FENCE = re.compile(
    r"(?P<before>[^\n]*\n)?(?P<indent>[ ]*)(?P<ticks>`{3,})(?P<language>[a-z]*)(?P<rest>[^\n`]*)\n"
    r"(?P<body>.*?)\n?(?P=indent)(?P=ticks)[ ]*(?=\n|$)",
    re.DOTALL,
)
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>\S.{7,}) -->")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    body: str
    not_run: str

    @property
    def where(self) -> str:
        """The block's file and line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, without the indentation of a list or tab they stand in."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        indent = match["indent"]
        lines = [line.removeprefix(indent) for line in match["body"].split("\n")]
        reason = _NOT_RUN.search(match["before"] or "")
        yield Block(
            page,
            text.count("\n", 0, match.start("ticks")) + 1,
            match["language"],
            "\n".join(lines),
            reason["reason"] if reason else "",
        )


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the small project the examples act on."""
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_of_the_page_does_what_it_shows(
    page: Path, shop: Path, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if not block.not_run:
            _RUNNERS.get(block.language, _show_only)(block, namespace, environment, shop)


def test_every_block_of_every_page_has_a_language_and_shell_blocks_a_reason() -> None:
    problems = [
        f"{block.where}: {block.language or 'no language'}"
        for page in PAGES
        for block in blocks(page)
        if not block.language or (block.language in {"sh", "bash"} and not block.not_run)
    ]
    assert problems == []


def _run_python(block: Block, namespace: dict[str, Any], *_: object) -> None:
    # The line numbers of a traceback are those of the page; `await` works as at a Python prompt.
    code = compile(
        "\n" * block.line + block.body,
        str(block.page),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    result = eval(code, namespace)
    if asyncio.iscoroutine(result):
        asyncio.run(result)


def _run_console(
    block: Block, namespace: dict[str, Any], environment: Mapping[str, str], shop: Path
) -> None:
    for command, expected in _commands(block.body):
        words = shlex.split(command)
        assert words[0] in PROGRAMS, f"{block.where}: {words[0]} is not run by these tests"
        done = subprocess.run(
            command,
            shell=True,
            cwd=shop,
            env={**environment, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        shown = re.sub(r"[ \t]+$", "", done.stdout, flags=re.MULTILINE).rstrip("\n")
        shown = shown.replace(str(shop), "/home/you/shop")
        assert _matches(expected, shown), (
            f"{block.where}: `{command}` (exit code {done.returncode}) printed\n{shown}\n"
            f"--- but the page shows\n{expected}"
        )


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Yield each `$ command` of a console block with the output shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected.rstrip("\n")


def _matches(expected: str, shown: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, shown, re.DOTALL) is not None


def _parse_toml(block: Block, *_: object) -> None:
    tomllib.loads(block.body)


def _parse_json(block: Block, *_: object) -> None:
    json.loads(block.body)


def _show_only(block: Block, *_: object) -> None:
    assert block.language in {"text", "lua", "output", "yaml"}, (
        f"{block.where}: a {block.language} block needs `<!-- not run: REASON -->` before it"
    )


_RUNNERS: Mapping[str, Callable[..., None]] = {
    "python": _run_python,
    "console": _run_console,
    "toml": _parse_toml,
    "json": _parse_json,
}


def test_the_pages_that_are_linked_exist() -> None:
    missing = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if not target.startswith(("http:", "https:", "mailto:"))
        and not (page.parent / target).exists()
    ]
    assert missing == []


def test_the_programs_shown_are_the_ones_under_test(environment: Mapping[str, str]) -> None:
    found = shutil.which("punie", path=environment["PATH"])
    assert found is not None
    assert Path(found).parent == Path(sys.executable).parent
    assert os.environ.get("PUNIE_DATA_DIR") != environment["PUNIE_DATA_DIR"]
