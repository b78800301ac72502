"""A type checker that stays says what `ty check` says, whatever became of the files meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_tools import LocalHost, OutsideRootsError, Toolbox, TypeCheckResult
from punie_train.data.staying import StayingChecker

PROJECT = '[project]\nname = "w"\nversion = "1"\n'
WRONG = 'x: int = ""\n'


class Pair:
    """A checker and the command line in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("pyproject.toml", PROJECT)
        host = LocalHost(root)
        self.checker = StayingChecker(host)
        self.command_line = Toolbox(host).typecheck

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    async def both(self, path: str) -> tuple[TypeCheckResult, TypeCheckResult]:
        """What the checker says, and what the command line says."""
        told = await self.checker.check(path, self.command_line)
        return told, await self.command_line(path)

    async def messages(self, path: str) -> list[str]:
        """What both say about a file."""
        told, expected = await self.both(path)
        assert told.model_dump(exclude={"run"}) == expected.model_dump(exclude={"run"})
        return [each.message for each in told.errors]

    async def prove(self) -> None:
        """Have both agree about a file with findings."""
        self.write("wrong.py", WRONG)
        assert await self.messages("wrong.py")
        assert self.checker.answered == 0

    def pids(self) -> list[int]:
        """The servers that run."""
        return self.checker.pids


@pytest.fixture
async def pair(tmp_path: Path):
    made = Pair(tmp_path)
    yield made
    await made.checker.close()


async def test_what_came_changed_and_went_is_seen(pair: Pair) -> None:
    await pair.prove()
    pair.write("wrong.py", "x: int = 1\n")
    assert await pair.messages("wrong.py") == []
    pair.write("m.py", "class C: ...\n")
    pair.write("use.py", "from m import C\n\nx: int = C()\n")
    assert await pair.messages("use.py") == ["Object of type `C` is not assignable to `int`"]
    pair.write("m.py", "C = int\n")
    assert await pair.messages("use.py") == []
    (pair.root / "m.py").unlink()
    assert await pair.messages("use.py") == ["Cannot resolve imported module `m`"]
    pair.write("m.py", "C = str\n")
    assert await pair.messages("use.py") == ["Object of type `str` is not assignable to `int`"]
    pair.write("use.py", "from far.off import D\n\nx: int = D()\n")
    assert await pair.messages("use.py") == ["Cannot resolve imported module `far.off`"]
    pair.write("far/off.py", "class D: ...\n")
    assert await pair.messages("use.py") == ["Object of type `D` is not assignable to `int`"]
    shutil.rmtree(pair.root / "far")
    assert await pair.messages("use.py") == ["Cannot resolve imported module `far.off`"]
    assert pair.checker.answered == 8


async def test_a_file_that_was_rewritten_within_a_tick_of_the_clock_is_read_again(
    pair: Pair,
) -> None:
    await pair.prove()
    pair.write("use.py", "from m import C\n\nx: int = C\n")
    for value, said in (("1", []), ('""', ["str"]), ("2", []), ("b''", ["bytes"])):
        pair.write("m.py", f"C: {type(eval(value)).__name__} = {value}\n")
        os.utime(pair.root / "m.py", ns=(10**18, 10**18))
        told = await pair.messages("use.py")
        assert told == [f"Object of type `{each}` is not assignable to `int`" for each in said]
    assert pair.checker.answered == 4


async def test_a_folder_that_modules_are_taken_from_gets_a_server_of_its_own(pair: Pair) -> None:
    await pair.prove()
    pair.write("use.py", "from deep.m import C\n\nx: int = C\n")
    assert await pair.messages("use.py") == ["Cannot resolve imported module `deep.m`"]
    pair.write("src/deep/m.py", "C = str()\n")
    assert await pair.messages("use.py") == ["Object of type `str` is not assignable to `int`"]
    assert len(pair.pids()) == 2
    shutil.rmtree(pair.root / "src")
    assert await pair.messages("use.py") == ["Cannot resolve imported module `deep.m`"]
    assert len(pair.pids()) == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ty.toml", '[rules]\ninvalid-assignment = "ignore"\n'),
        ("pyproject.toml", PROJECT + '[tool.ty.rules]\ninvalid-assignment = "warn"\n'),
        ("pyproject.toml", PROJECT + '[tool.ty.src]\nexclude = ["wrong.py"]\n'),
        ("pyproject.toml", "[tool.ty\n"),
        ("pyproject.toml", "tool = 1\n"),
    ],
)
async def test_under_another_configuration_the_command_line_answers(
    pair: Pair, path: str, text: str
) -> None:
    await pair.prove()
    pair.write(path, text)
    await pair.messages("wrong.py")
    assert pair.checker.answered == 0
    (pair.root / path).unlink()
    pair.write("pyproject.toml", PROJECT)
    assert len(await pair.messages("wrong.py")) == 1
    assert pair.checker.answered == 1


@pytest.mark.parametrize("path", [".", "pkg", "absent.py", "notes.txt", "marked.py", "latin.py"])
async def test_what_is_no_plain_python_file_is_for_the_command_line(pair: Pair, path: str) -> None:
    pair.write("pkg/a.py", WRONG)
    pair.write("notes.txt", "x: int = ''\n")
    pair.write("marked.py", "\ufeff" + WRONG)
    (pair.root / "latin.py").write_bytes(b"x: int = '\xe9'\n")
    await pair.prove()
    await pair.messages(path)
    assert pair.checker.answered == 0


async def test_a_link_is_for_the_command_line(pair: Pair) -> None:
    await pair.prove()
    (pair.root / "link.py").symlink_to("wrong.py")
    assert len(await pair.messages("wrong.py")) == 1
    assert len(await pair.messages("link.py")) == 1
    assert pair.checker.answered == 0


async def test_a_path_that_leads_out_is_refused_as_before(pair: Pair) -> None:
    with pytest.raises(OutsideRootsError):
        await pair.checker.check("../x.py", pair.command_line)


async def test_wide_characters_syntax_errors_and_warnings_are_told_alike(pair: Pair) -> None:
    await pair.prove()
    pair.write("wide.py", 'a = "\U0001f980é"; x: int = "é"\r\ny: int = ""  # ty: ignore\n')
    pair.write("syntax.py", "def f(:\n    return\n\nclass\n")
    pair.write(
        "many.py", "import nowhere\n\ndef f(a: int) -> str:\n    return a + b\n\nf('', z=1)\n"
    )
    for path in ("wide.py", "syntax.py", "many.py", "./many.py"):
        assert await pair.messages(path)
    assert pair.checker.answered == 4


async def test_when_the_server_is_killed_the_command_line_answers(pair: Pair) -> None:
    await pair.prove()
    assert len(await pair.messages("wrong.py")) == 1
    (pid,) = pair.pids()
    os.killpg(pid, signal.SIGKILL)
    for _ in range(2):
        pair.write("wrong.py", WRONG + "y: str = 1\n")
        assert len(await pair.messages("wrong.py")) == 2
    assert pair.checker.answered == 1


async def test_several_questions_at_once_are_answered_in_turn(pair: Pair) -> None:
    await pair.prove()
    for number in range(5):
        pair.write(f"m{number}.py", WRONG * number)
    found = await asyncio.gather(
        *(pair.checker.check(f"m{number}.py", pair.command_line) for number in range(5))
    )
    assert [each.error_count for each in found] == [0, 1, 2, 3, 4]
    assert pair.checker.answered == 5


async def test_a_server_that_is_of_another_opinion_is_not_asked_again(pair: Pair) -> None:
    async def another(path: str) -> TypeCheckResult:
        found = await pair.command_line(path)
        return found.model_copy(update={"errors": found.errors * 2})

    pair.write("wrong.py", WRONG)
    assert (await pair.checker.check("wrong.py", another)).error_count == 2
    assert (await pair.checker.check("wrong.py", pair.command_line)).error_count == 1
    assert (pair.pids(), pair.checker.answered) == ([], 0)


PATHS = ["a.py", "b.py", "p/a.py", "p/__init__.py", "p/q/c.py", "src/a.py", "p/a.pyi"]
TEXTS = [
    "X = 1\n",
    "X = ''\n",
    "from a import X\n\ny: int = X\n",
    "from b import X\n\ny: int = X\n",
    "from p.a import X\n\ny: int = X\n",
    "from p.q import c\n\ny: int = c.X\n",
    "import p\n\ny: int = p.X\n",
    "from .a import X\n\ny: str = X\n",
]


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(PATHS), st.none() | st.sampled_from(TEXTS)),
            st.sampled_from(PATHS),
        ),
        min_size=3,
        max_size=8,
    )
)
def test_after_any_change_both_say_the_same(steps) -> None:
    async def run(root: Path) -> None:
        pair = Pair(root)
        await pair.prove()
        for changes, asked in steps:
            for path, text in changes.items():
                if text is not None:
                    pair.write(path, text)
                elif (root / path).exists():
                    (root / path).unlink()
                    if not any((root / path).parent.iterdir()):
                        (root / path).parent.rmdir()
            await pair.messages(asked)
        await pair.checker.close()

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name).resolve()))
