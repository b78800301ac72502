"""The daemon and the five questions: the same answers as the command line, edits included."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from punie_tools import (
    DocumentSymbol,
    DocumentSymbolsResult,
    HoverResult,
    LocalHost,
    Location,
    Toolbox,
    TypeCheckResult,
    WorkspaceSymbol,
)
from punie_tools._ty_server import TyServer

MODULE = '''"""😀"""
class Animal:
    legs: int = 4
    def speak(self) -> str:
        """Say something."""
        return "😀"

def make(count: int) -> Animal:
    return Animal()

s = "😀"; noise = make(1).speak()
'''


@pytest.fixture
async def daemon(host: LocalHost) -> AsyncIterator[Toolbox]:
    """The workspace's tools with a running server."""
    async with Toolbox(host, daemon=True) as toolbox:
        yield toolbox


def by(result: TypeCheckResult) -> str:
    """Return who answered: `check` for the command line, `server` for the daemon."""
    return result.run.argv[1]


async def agree(daemon: Toolbox, host: LocalHost) -> TypeCheckResult:
    """Return the daemon's answer, which must be the command line's."""
    answer = await daemon.typecheck(".")
    told = await Toolbox(host).typecheck(".")
    assert answer.model_dump(exclude={"run"}) == told.model_dump(exclude={"run"})
    return answer


class Listening(LocalHost):
    """A host that hears what the server is told."""

    heard: Callable[[bytes], None]

    async def spawn(self, *args, **kwargs):
        """Start, and listen."""
        process = await super().spawn(*args, **kwargs)
        assert process.stdin is not None
        send = process.stdin.write

        def write(data: bytes) -> None:
            send(data)
            self.heard(data)

        process.stdin.write = write  # ty: ignore[invalid-assignment]
        return process


async def test_the_server_answers_as_the_command_line_does_before_and_after_edits(
    daemon: Toolbox, host: LocalHost, root: Path
) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "a.py").write_text(MODULE)
    (root / "b.py").write_text("from pkg.a import make\nx: int = make('one')\n")
    first = await agree(daemon, host)
    assert (by(first), first.status) == ("check", "findings")
    assert by(await agree(daemon, host)) == "server"

    (root / "b.py").write_text("from pkg.a import make\nmake(1).speak()\n")
    fixed = await agree(daemon, host)
    assert (by(fixed), fixed.status) == ("server", "clean")

    (root / "pkg" / "a.py").write_text(MODULE.replace("count: int", "count: str"))
    broken = await agree(daemon, host)
    assert (by(broken), [each.file for each in broken.errors]) == ("server", ["b.py", "pkg/a.py"])

    (root / "sp ace é.py").write_text("import nowhere\n")
    created = await agree(daemon, host)
    assert (by(created), created.errors[-1].file) == ("server", "sp ace é.py")


async def test_what_could_make_them_differ_is_asked_of_the_command_line(
    daemon: Toolbox, host: LocalHost, root: Path
) -> None:
    (root / "a.py").write_text("x: int = ''\n")
    (root / "b.py").write_text("y: int = ''\n")
    assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "server"]
    (root / "b.py").unlink()
    assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "server"]
    (root / "pyproject.toml").write_text("[tool.ty.rules]\ninvalid-assignment = 'warn'\n")
    warned = await agree(daemon, host)
    assert (by(warned), warned.warning_count) == ("check", 1)
    assert by(await agree(daemon, host)) == "server"
    (root / "latin.py").write_bytes(b"# caf\xe9\n")
    unreadable = await agree(daemon, host)
    assert (by(unreadable), unreadable.status) == ("check", "tool_error")


async def test_an_edit_is_asked_about_before_anybody_asks(root: Path) -> None:
    told = asyncio.Event()

    def heard(data: bytes) -> None:
        if b"didChangeWatchedFiles" in data:
            told.set()

    (root / "a.py").write_text("x: int = ''\n")
    host = Listening(root)
    host.heard = heard
    async with Toolbox(host, daemon=True) as daemon:
        await daemon.typecheck(".")
        told.clear()
        (root / "a.py").write_text("x: int = ''\ny: int = ''\n")
        await asyncio.wait_for(told.wait(), 60)
        result = await daemon.typecheck(".")
        assert (by(result), result.error_count) == ("server", 2)


async def test_a_byte_order_mark_is_no_column(daemon: Toolbox, host: LocalHost, root: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    await agree(daemon, host)
    (root / "b.py").write_bytes(b"\xef\xbb\xbfx: int = ''; y = x.foo\r\nz: int = ''\r\n")
    marked = await agree(daemon, host)
    places = [(each.line, each.column) for each in marked.errors]
    assert (by(marked), places) == ("server", [(1, 10), (1, 18), (2, 10)])
    assert (await daemon.find_references("b.py", 1, 1, "x")).references == [
        Location(file="b.py", line=1, column=1, preview="x: int = ''; y = x.foo"),
        Location(file="b.py", line=1, column=18, preview="x: int = ''; y = x.foo"),
    ]


async def test_a_question_cancelled_while_its_text_goes_out_leaves_nothing_stale(
    root: Path,
) -> None:
    questions: list[asyncio.Task[HoverResult]] = []

    def heard(data: bytes) -> None:
        if questions and b"didOpen" in data:
            questions[0].cancel()

    long = f"\n# {'more than a pipe holds ' * 100_000}\n"
    (root / "a.py").write_text(f"x: int = 1{long}")
    host = Listening(root)
    host.heard = heard
    async with Toolbox(host, daemon=True) as daemon:
        await daemon.typecheck(".")
        questions.append(asyncio.create_task(daemon.hover("a.py", 1, 1, "x")))
        with pytest.raises(asyncio.CancelledError):
            await questions[0]
        (root / "a.py").write_text(f"x: int = ''{long}")
        result = await daemon.typecheck(".")
        assert (by(result), result.error_count) == ("server", 1)


async def test_an_edit_that_moves_lines_and_no_offset_is_noticed(
    daemon: Toolbox, host: LocalHost, root: Path
) -> None:
    (root / "a.py").write_text("# aaa bbb\nx: int = ''\n")
    await daemon.typecheck(".")
    (root / "a.py").write_text("# aaa\n#bb\nx: int = ''\n")
    moved = await agree(daemon, host)
    assert (by(moved), moved.errors[0].line) == ("server", 3)


async def test_configuration_above_the_workspace_counts_too(root: Path) -> None:
    (root / "pkg").mkdir()
    (root / "pkg" / "a.py").write_text("x: int = ''\n")
    host = LocalHost(root / "pkg")
    async with Toolbox(host, daemon=True) as daemon:
        assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "server"]
        (root / "ty.toml").write_text("rules.invalid-assignment = 'warn'\n")
        warned = await agree(daemon, host)
        assert (by(warned), warned.warning_count) == ("check", 1)


async def test_the_ignore_file_of_the_users_git_counts_too(root: Path) -> None:
    home = root.parent
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n")
    (root / ".git").mkdir()
    (root / "a.py").write_text("x: int = ''\n")
    (root / "b.py").write_text("x: int = 1\n")
    environment = {key: value for key, value in os.environ.items() if key != "XDG_CONFIG_HOME"}
    host = LocalHost(root, env=environment | {"HOME": str(home)})
    async with Toolbox(host, daemon=True) as daemon:
        assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "server"]
        (home / "ignored").write_text("a.py\n")
        without = await agree(daemon, host)
        assert (by(without), without.status) == ("check", "clean")


async def test_questions_and_checks_at_once_do_not_disturb_each_other(
    daemon: Toolbox, host: LocalHost, root: Path
) -> None:
    (root / "a.py").write_text(MODULE)
    await daemon.typecheck(".")
    for number in range(5):
        (root / "a.py").write_text("\n" * number + MODULE + "x: int = ''\n" * number)
        results = await asyncio.gather(
            daemon.document_symbols("a.py"),
            daemon.typecheck("."),
            daemon.hover("a.py", number + 9, 12, "Animal"),
            daemon.document_symbols("a.py"),
        )
        assert [each.parse_error for each in results] == [None] * 4
        assert results[0].symbols == results[3].symbols
        assert (await agree(daemon, host)).error_count == number


async def test_a_project_that_includes_less_is_never_left_to_the_server(
    daemon: Toolbox, host: LocalHost, root: Path
) -> None:
    (root / "pyproject.toml").write_text("[tool.ty.src]\ninclude = ['src']\n")
    (root / "src").mkdir()
    (root / "src" / "a.py").write_text("x = 1\n")
    (root / "other.py").write_text("x = 1\n")
    assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "check"]


async def test_nothing_to_check_is_never_clean(daemon: Toolbox, host: LocalHost) -> None:
    for _ in range(2):
        assert (await agree(daemon, host)).status == "nothing_checked"


async def test_a_server_that_dies_is_replaced_without_a_wrong_answer(
    host: LocalHost, root: Path
) -> None:
    processes = []

    class Watched(LocalHost):
        """A host that remembers the servers it started."""

        async def spawn(self, *args, **kwargs):
            """Start and remember."""
            processes.append(await super().spawn(*args, **kwargs))
            return processes[-1]

    (root / "a.py").write_text("x: int = ''\n")
    async with Toolbox(Watched(root), daemon=True) as daemon:
        assert [by(await agree(daemon, host)) for _ in range(2)] == ["check", "server"]
        processes[0].kill()
        await processes[0].wait()
        assert by(await agree(daemon, host)) == "check"
        assert by(await agree(daemon, host)) == "server"
        assert len(processes) == 2
    assert [each.returncode is not None for each in processes] == [True, True]


class Watched(LocalHost):
    """A host that tells of each server it starts."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.spawned = asyncio.Queue()

    async def spawn(self, *args, **kwargs):
        """Start, and tell."""
        process = await super().spawn(*args, **kwargs)
        self.spawned.put_nowait(process)
        return process


async def test_a_toolbox_that_is_closed_during_a_check_leaves_no_server(root: Path) -> None:
    (root / "a.py").write_text("x: int = ''\n")
    host = Watched(root)
    toolbox = Toolbox(host, daemon=True)
    check = asyncio.create_task(toolbox.typecheck("."))
    server = await host.spawned.get()
    await toolbox.aclose()
    assert (await check).error_count == 1
    assert server.returncode is not None


async def test_closing_that_is_cancelled_leaves_no_server(root: Path) -> None:
    host = Watched(root)
    server = await TyServer.start(host, timeout=60, whole_workspace=False)
    process = await host.spawned.get()
    closing = asyncio.create_task(server.close())
    await asyncio.sleep(0)  # it has asked the server to end, and waits for the answer
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await asyncio.wait_for(process.wait(), 10) is not None


@pytest.mark.parametrize("keeps_running", [True, False])
async def test_the_five_questions(host: LocalHost, root: Path, *, keeps_running: bool) -> None:
    (root / "a.py").write_text(MODULE)
    async with Toolbox(host, daemon=keeps_running) as toolbox:
        definition = await toolbox.goto_definition("a.py", 11, 27, "speak")
        assert definition.locations == [
            Location(file="a.py", line=4, column=9, preview="def speak(self) -> str:")
        ]
        references = await toolbox.find_references("a.py", 2, 1, "Animal")
        assert [(each.line, each.column) for each in references.references] == [
            (2, 7),
            (8, 25),
            (9, 12),
        ]
        assert references.reference_count == 3
        hover = await toolbox.hover("a.py", 11, 27, "speak")
        assert hover == HoverResult(
            status="clean",
            symbol="speak",
            content="bound method Animal.speak() -> str\n\nSay something.",
            language="python",
            run=hover.run,
        )
        inside = await toolbox.document_symbols("a.py")
        assert inside.symbols[:3] == [
            DocumentSymbol(name="Animal", kind="class", line=2, end_line=6),
            DocumentSymbol(name="legs", kind="field", line=3, end_line=3, container="Animal"),
            DocumentSymbol(name="speak", kind="method", line=4, end_line=6, container="Animal"),
        ]
        found = await toolbox.workspace_symbols("make")
        assert found.symbols == [WorkspaceSymbol(name="make", kind="function", file="a.py", line=8)]


async def test_a_column_that_is_off_still_means_the_named_symbol(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "a.py").write_text(MODULE)
    for column in (1, 19, 22, 999):
        result = await toolbox.goto_definition("a.py", 11, column, "make")
        assert [each.line for each in result.locations] == [8]
    dotted = await toolbox.goto_definition("a.py", 11, 1, "Animal.speak")
    assert [each.line for each in dotted.locations] == [4]


async def test_a_file_is_read_once_however_many_places_in_it_are_shown(root: Path) -> None:
    read: list[str] = []

    class Reading(LocalHost):
        """A host that notes what it reads."""

        async def read_text(self, path: str | Path) -> str:
            """Read."""
            read.append(Path(path).name)
            return await super().read_text(path)

    (root / "a.py").write_text("x = 1\nprint(x)\n" * 3)
    (root / "b.py").write_text("from a import x\n")
    result = await Toolbox(Reading(root)).find_references("b.py", 1, 15, "x")
    assert [(each.file, each.preview) for each in result.references] == [
        *[("a.py", "x = 1"), ("a.py", "print(x)")] * 3,
        ("b.py", "from a import x"),
    ]
    assert sorted(read) == ["a.py", "b.py", "b.py"]  # for its place, and for what is shown


async def test_a_question_without_an_answer_says_why(toolbox: Toolbox, root: Path) -> None:
    (root / "a.py").write_text(MODULE)
    cases = {
        "not on line 2": await toolbox.hover("a.py", 2, 1, "nothing"),
        "has no line 99": await toolbox.find_references("a.py", 99, 1, "Animal"),
        "nothing is known": await toolbox.goto_definition("a.py", 1, 4, "😀"),
    }
    for said, result in cases.items():
        assert (result.status, result.success) == ("nothing_checked", False)
        assert said in (result.parse_error or "")
    assert (await toolbox.workspace_symbols("zzz_nothing")).symbols == []
    with pytest.raises(FileNotFoundError):
        await toolbox.document_symbols("none.py")
    with pytest.raises(PermissionError):
        await toolbox.goto_definition("../x.py", 1, 1, "x")


async def test_the_standard_librarys_places_do_not_depend_on_the_machine(
    toolbox: Toolbox, root: Path
) -> None:
    (root / "a.py").write_text("x = len([])\n")
    [place] = (await toolbox.goto_definition("a.py", 1, 5, "len")).locations
    assert place.file == "typeshed/stdlib/builtins.pyi"


async def test_a_file_whose_name_is_no_text_has_a_result_that_can_be_written(
    daemon: Toolbox, root: Path
) -> None:
    (root / os.fsdecode(b"caf\xe9.py")).write_text("def f(): pass\n")
    result = await daemon.document_symbols(os.fsdecode(b"caf\xe9.py"))
    assert result.file == "caf\\xe9.py"
    assert DocumentSymbolsResult.model_validate_json(result.model_dump_json()) == result


async def test_answers_are_about_what_is_on_disk_now(daemon: Toolbox, root: Path) -> None:
    (root / "a.py").write_text("def f(): pass\n")
    assert (await daemon.document_symbols("a.py")).symbols[0].name == "f"
    (root / "a.py").write_text("\n\ndef g(): pass\n")
    (root / "b.py").write_text("from a import g\ng()\n")
    assert (await daemon.document_symbols("a.py")).symbols[0].name == "g"
    [place] = (await daemon.goto_definition("b.py", 2, 1, "g")).locations
    assert (place.file, place.line) == ("a.py", 3)


BROKEN = {
    "garbage": "print('hello' * 9999, flush=True)",
    "length": "sys.stdout.write('Content-Length: 99999999999999\\r\\n\\r\\n'); sys.stdout.flush()",
    "negative": "sys.stdout.write('Content-Length: -5\\r\\n\\r\\n'); sys.stdout.flush()",
    "not json": "sys.stdout.write('Content-Length: 3\\r\\n\\r\\nabc'); sys.stdout.flush()",
    "list": "sys.stdout.write('Content-Length: 2\\r\\n\\r\\n[]'); sys.stdout.flush()",
    "no result": "reply({})",
    "wrong encoding": "reply({'result': {'capabilities': {'positionEncoding': 'utf-16'}}})",
    "error": "reply({'error': {'code': 1, 'message': 'no'}})",
    "exits": "sys.exit(0)",
    "hangs": "pass",
}
SERVER = """#!{python}
import json, os, signal, sys
if sys.argv[1:2] != ["server"]:
    os.execv({ty!r}, ["ty", *sys.argv[1:]])
def reply(fields):
    body = json.dumps({{"jsonrpc": "2.0", "id": 1, **fields}})
    sys.stdout.write(f"Content-Length: {{len(body)}}\\r\\n\\r\\n{{body}}")
    sys.stdout.flush()
{behaviour}
signal.pause()
"""


@pytest.mark.parametrize("behaviour", sorted(BROKEN))
async def test_a_broken_server_is_no_answer_and_never_stops_a_check(
    root: Path, behaviour: str
) -> None:
    program = root / ".venv" / "bin" / "ty"
    program.parent.mkdir(parents=True)
    ty = LocalHost(root).find_program("ty")
    program.write_text(SERVER.format(python=sys.executable, ty=ty, behaviour=BROKEN[behaviour]))
    program.chmod(0o755)
    (root / "a.py").write_text("x: int = ''\n")
    host = LocalHost(root)
    symbols = await Toolbox(host, timeout=1).document_symbols("a.py")
    assert (symbols.status, symbols.success) == ("tool_error", False)
    async with Toolbox(host, timeout=3, daemon=True) as toolbox:
        result = await toolbox.typecheck(".")
        assert (by(result), result.error_count) == ("check", 1)


async def test_a_host_that_cannot_keep_a_process_still_answers_checks(root: Path) -> None:
    local = LocalHost(root)

    class Plain:
        """A host with nothing but the protocol's three methods."""

        roots = local.roots
        run = staticmethod(local.run)
        read_text = staticmethod(local.read_text)
        write_text = staticmethod(local.write_text)

    (root / "a.py").write_text("x: int = ''\n")
    async with Toolbox(Plain(), daemon=True) as toolbox:
        assert (await toolbox.typecheck(".")).error_count == 1
        symbols = await toolbox.document_symbols("a.py")
        assert symbols.parse_error == "this host cannot keep a language server running."
