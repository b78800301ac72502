"""run_command: command lines as people write them, and text that never hides a failure."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_tools import LocalHost, Toolbox, ToolMissingError, UnreadableFileError
from punie_tools._commands import command_argv, cut_text


@pytest.mark.parametrize(
    ("command", "args", "argv"),
    [
        ("grep -rn x src", None, ["grep", "-rn", "x", "src"]),
        ("grep -rn 'a b' src", None, ["grep", "-rn", "a b", "src"]),
        ("grep 'a|b*' f", None, ["grep", "a|b*", "f"]),
        ("grep", ["-rn", "a|b"], ["grep", "-rn", "a|b"]),
        ("git log", ["-1"], ["git", "log", "-1"]),
        ("ls *.py", None, ["/bin/sh", "-c", "ls *.py"]),
        ("a | b", None, ["/bin/sh", "-c", "a | b"]),
        ("a && b", None, ["/bin/sh", "-c", "a && b"]),
        ('echo "$HOME"', None, ["/bin/sh", "-c", 'echo "$HOME"']),
        (r"echo '\' ; echo '\'", None, ["/bin/sh", "-c", r"echo '\' ; echo '\'"]),
        (r'grep "\" |" f', None, ["grep", '" |', "f"]),
        (r'grep "\$x" f', None, ["/bin/sh", "-c", r'grep "\$x" f']),
        ("echo a \\\n b", None, ["/bin/sh", "-c", "echo a \\\n b"]),
        (r"echo a\;b", None, ["echo", "a;b"]),
        ("X=1 env", None, ["/bin/sh", "-c", "X=1 env"]),
        ("command -v git", None, ["/bin/sh", "-c", "command -v git"]),
        ("! grep -q a f", None, ["/bin/sh", "-c", "! grep -q a f"]),
        ("type", ["git"], ["type", "git"]),
        ("python -c 'print(1)'", None, ["python", "-c", "print(1)"]),
    ],
)
def test_a_command_line_is_read_as_a_shell_would(command, args, argv) -> None:
    assert command_argv(command, args) == argv


@pytest.mark.parametrize("command", ["", "  ", "echo 'open"])
@pytest.mark.parametrize("args", [None, ["a"]])
def test_what_is_no_command_is_refused(command: str, args: list[str] | None) -> None:
    with pytest.raises(ToolMissingError, match="command"):
        command_argv(command, args)


async def test_the_output_comes_back_as_text(toolbox: Toolbox, root: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    assert await toolbox.run_command("grep -rn x .") == "./a.py:1:x = 1\n"
    assert await toolbox.run_command("cat", ["a.py"]) == "x = 1\n"
    assert await toolbox.run_command("ls *.py | wc -l") == "1\n"


async def test_a_working_directory_is_used(toolbox: Toolbox, root: Path) -> None:
    (root / "sub").mkdir()
    assert await toolbox.run_command("pwd", cwd="sub") == f"{root}/sub\n"


async def test_a_programs_path_is_relative_to_the_working_directory(
    toolbox: Toolbox, root: Path
) -> None:
    for folder in (root, root / "sub"):
        folder.mkdir(exist_ok=True)
        (folder / "name").write_text(f"#!/bin/sh\necho {folder.name}\n")
        (folder / "name").chmod(0o755)
    assert await toolbox.run_command("./name") == f"{root.name}\n"
    assert await toolbox.run_command("./name", cwd="sub") == "sub\n"


async def test_a_failure_is_told_even_when_nothing_was_written(toolbox: Toolbox) -> None:
    assert await toolbox.run_command("false") == "[exit code 1]"
    assert await toolbox.run_command("echo a; echo b >&2; exit 3") == "a\nb\n[exit code 3]"
    assert await toolbox.run_command("kill -KILL $$") == "[killed by signal 9]"


async def test_what_no_program_can_be_given_is_told_without_advice_to_install(
    toolbox: Toolbox,
) -> None:
    result = await toolbox.pytest_run("a.py::b\0c")
    assert (result.status, result.success) == ("tool_error", False)
    assert "embedded null byte" in (result.parse_error or "")
    assert "install" not in (result.parse_error or "")


async def test_a_missing_program_raises(toolbox: Toolbox) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program is not installed"):
        await toolbox.run_command("no-such-program --flag")


async def test_a_stuck_command_is_told(host: LocalHost) -> None:
    text = await Toolbox(host, timeout=0.2).run_command("sleep 1000")
    assert text.startswith("[timed out after 0.2")
    assert text.endswith("the command was ended]")


async def test_long_output_is_cut_and_says_so(host: LocalHost) -> None:
    text = await Toolbox(host, output_chars=30).run_command("seq 1000")
    assert text == (
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10"
        "\n[output cut: 3863 of 3893 characters left out here]\n"
        "\n999\n1000\n"
    )


@given(st.text(), st.integers(0, 50))
def test_cutting_keeps_both_ends_and_counts_what_is_left_out(text: str, limit: int) -> None:
    cut = cut_text(text, limit)
    if len(text) <= limit:
        assert cut == text
    else:
        head, _, rest = cut.partition(f"\n[output cut: {len(text) - limit} of {len(text)} ")
        assert text.startswith(head)
        assert text.endswith(rest.partition("left out here]\n")[2])


async def test_a_long_file_is_read_whole_or_not_at_all(host: LocalHost, root: Path) -> None:
    """Half of a file that is changed and written back is a file half of which is lost."""
    (root / "long.txt").write_text("ab" * 200_000)
    toolbox = Toolbox(host)
    assert await toolbox.read_file("long.txt") == "ab" * 200_000
    with pytest.raises(UnreadableFileError) as refused:
        await Toolbox(host, file_chars=20).read_file("long.txt")
    assert str(refused.value) == (
        "long.txt holds 400000 characters, and a file is read whole up to 20: look at a part of it, as with "
        "run_command('head -n 100 …')"
    )


async def test_a_file_is_written_and_read(toolbox: Toolbox) -> None:
    said = await toolbox.write_file("pkg/mod.py", "x = 'é'\n")
    assert said == "Wrote 8 characters to pkg/mod.py"
    assert await toolbox.read_file("pkg/mod.py") == "x = 'é'\n"


@given(st.text("ab '\"\\$;|*\n#~", max_size=10))
def test_what_needs_no_shell_means_to_a_shell_the_same(words: str) -> None:
    command = f"printf [%s] {words}"
    try:
        argv = command_argv(command, None)
    except ToolMissingError:
        return
    if argv[0] != "/bin/sh":
        by_shell = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
        by_hand = subprocess.run(argv, capture_output=True, check=False)
        assert by_hand.stdout == by_shell.stdout
