"""The code in README and docs, executed: Python blocks, and `punie` commands with the output they show.

A ```python block runs; a page's blocks share one namespace; what they print must be what stands in the
```output block that follows, if one does. In a ```console block each line that
begins with `$ ` runs in a small project (examples/shop), and what it prints must be what stands below
it, where `...` stands for anything. A block that cannot run here (it needs a GPU, an editor, ten minutes)
is preceded by a comment that says why: `<!-- not run: REASON -->`. Other blocks (TOML, JSON, text) are
parsed where their language allows it.
"""

from __future__ import annotations

import ast
import asyncio
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from punie_train.evaluation.suite import Suite

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOP = ROOT / "examples/shop"
PROGRAMS = {"punie", "punie-tools", "punie-train", "make", "python", "cat"}
"""What a console block may run; anything else needs a `not run` comment."""
TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
"""Plain text of a known width; unbuffered, so that both streams arrive in the order of a terminal."""

_FENCE = re.compile(
    r"(?P<before>[^\n]*\n)?(?P<indent>[ ]*)(?P<ticks>`{3,})(?P<language>[a-z]*)(?P<rest>[^\n`]*)\n"
    r"(?P<body>.*?)\n?(?P=indent)(?P=ticks)[ ]*(?=\n|$)",
    re.DOTALL,
)
_INCLUDE = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', re.MULTILINE)
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
        body = _INCLUDE.sub(lambda found: (ROOT / found["path"]).read_text(), match["body"])
        lines = [line.removeprefix(indent) for line in body.split("\n")]
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
    """A copy of the small project the examples act on, with the example suites beside it."""
    shutil.copytree(SHOP.parent / "suites", tmp_path / "suites")
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_of_the_page_does_what_it_shows(
    page: Path, shop: Path, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    reader = Reader(environment, shop)
    for block in blocks(page):
        if not block.not_run:
            reader.read(block)


def test_every_block_of_every_page_has_a_language_and_shell_blocks_a_reason() -> None:
    problems = [
        f"{block.where}: {block.language or 'no language'}"
        for page in PAGES
        for block in blocks(page)
        if not block.language or (block.language in {"sh", "bash"} and not block.not_run)
    ]
    assert problems == []


@dataclass
class Reader:
    """Goes through a page from top to bottom and does what it shows."""

    environment: Mapping[str, str]
    shop: Path
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    printed: str = ""

    def read(self, block: Block) -> None:
        """Run, parse or compare one block."""
        match block.language:
            case "python":
                self.python(block)
            case "output":
                assert _matches(block.body, _tidy(self.printed, self.shop)), (
                    f"{block.where}: the Python above printed\n{self.printed}"
                )
            case "console":
                self.console(block)
            case "toml":
                table = tomllib.loads(block.body)
                if "queries" in table:
                    Suite.model_validate(table)
            case "json":
                json.loads(block.body)
            case language:
                assert language in {"text", "lua"}, (
                    f"{block.where}: a {language} block needs `<!-- not run: REASON -->` before it"
                )

    def python(self, block: Block) -> None:
        """Run a Python block; line numbers in a traceback are those of the page, and `await` works."""
        code = compile(
            "\n" * block.line + block.body,
            str(block.page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        with redirect_stdout(io.StringIO()) as printed:
            result = eval(code, self.namespace)
            if asyncio.iscoroutine(result):
                asyncio.run(result)
        self.printed = printed.getvalue()

    def console(self, block: Block) -> None:
        """Run the commands of a console block and compare what they print."""
        for command, expected in _commands(block.body):
            words = shlex.split(command)
            assert words[0] in PROGRAMS, f"{block.where}: {words[0]} is not run by these tests"
            done = subprocess.run(
                command,
                shell=True,
                cwd=self.shop,
                env={**self.environment, **TERMINAL},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            shown = _tidy(done.stdout, self.shop)
            assert _matches(expected, shown), (
                f"{block.where}: `{command}` (exit code {done.returncode}) printed\n{shown}\n"
                f"--- but the page shows\n{expected}"
            )


def _tidy(text: str, shop: Path) -> str:
    lines = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).rstrip("\n")
    return lines.replace(str(shop), "/home/you/shop")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Yield each `$ command` of a console block with the output shown below it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected.rstrip("\n")


def _matches(expected: str, shown: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, shown, re.DOTALL) is not None


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
