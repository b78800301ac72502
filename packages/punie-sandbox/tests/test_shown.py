"""What a policy and a person are shown is what happens."""

from typing import Any

import pytest

from punie_sandbox import Call, Decision, ExternalFunctions, FileChange, Sandbox, Status, allow
from punie_sandbox.testing import MemoryProject


@pytest.mark.parametrize(
    ("call", "name"),
    [("one('secret', path='safe')", "path"), ("many('secret', paths='safe')", "paths")],
)
async def test_no_keyword_takes_the_place_of_an_argument_in_what_is_shown(
    call: str, name: str
) -> None:
    """behaviour: arguments.disguised."""
    seen: list[Any] = []

    def one(path: str, /, **more: str) -> None:
        seen.append(path)

    def many(*paths: str, **more: str) -> None:
        seen.append(paths)

    def policy(call: Call) -> Decision:
        seen.append(dict(call.arguments))
        return allow

    async with Sandbox(ExternalFunctions([one, many]), policy=policy) as sandbox:
        result = await sandbox.run(call)
        assert seen == []
        assert result.status is Status.ERROR
        assert f"cannot take the keyword argument '{name}'" in str(result.error)
        assert [call.decision for call in result.calls] == ["invalid"]
        assert (await sandbox.run("one('a', other='b')\nmany('c')")).status is Status.OK
    assert seen == [{"path": "a", "other": "b"}, "a", {"paths": ["c"]}, ("c",)]


async def test_a_new_file_without_text_is_in_the_diff(project: MemoryProject) -> None:
    """behaviour: plan.diff-complete."""
    async with Sandbox(project.functions(), preview=project.preview()) as sandbox:
        plan = await sandbox.plan("write_file('src/__init__.py', '')")
    assert plan.changes == (FileChange("src/__init__.py", None, ""),)
    assert plan.diff == "--- /dev/null\n+++ b/src/__init__.py\n"


def test_a_path_cannot_write_lines_of_a_diff() -> None:
    """behaviour: plan.diff-forged."""
    path = 'a\n@@ -1 +1 @@\n-harmless\n+"b"\t\\\x1b[8m\u202e\u2028é.py'
    assert FileChange(path, None, "x\n").diff == (
        '--- /dev/null\n+++ "b/a\\n@@ -1 +1 @@\\n-harmless\\n+\\"b\\"\\t\\\\'
        '\\u001b[8m\\u202e\\u2028é.py"\n@@ -0,0 +1 @@\n+x\n'
    )
    assert FileChange("with blank é.py", "a\n", "b\n").diff == (
        "--- a/with blank é.py\n+++ b/with blank é.py\n@@ -1 +1 @@\n-a\n+b\n"
    )
