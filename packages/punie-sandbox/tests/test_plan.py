"""Plans: a whole snippet against an overlay, one diff, one approval."""

import pytest

from punie_sandbox import (
    Call,
    Decision,
    ExternalFunctions,
    FileChange,
    PlanError,
    Preview,
    Sandbox,
    Status,
    allow,
    ask,
    deny,
)
from punie_sandbox.testing import MemoryProject

FIX = """\
for path in list_files("src/"):
    text = read_file(path)
    fixed = "\\n".join(line.split("  # error")[0] for line in text.splitlines()) + "\\n"
    if fixed != text:
        write_file(path, fixed)
write_file("NOTES.md", "fixed\\n")
read_file("NOTES.md")
"""


async def test_a_plan_is_one_diff_and_changes_nothing(
    sandbox: Sandbox, project: MemoryProject
) -> None:
    """behaviour: plan.diff."""
    before = project.snapshot()
    plan = await sandbox.plan(FIX)
    assert plan.result.status is Status.OK
    assert project.files == before
    assert [change.path for change in plan.changes] == ["NOTES.md", "src/app.py", "src/models.py"]
    assert plan.changes[0] == FileChange("NOTES.md", None, "fixed\n")
    assert plan.diff.startswith(
        "--- /dev/null\n+++ b/NOTES.md\n@@ -0,0 +1 @@\n+fixed\n--- a/src/app.py\n"
    )
    assert "-    return 'x'  # error: expected int, got str\n+    return 'x'\n" in plan.diff


def test_only_a_line_feed_ends_a_line_of_a_diff() -> None:
    """behaviour: plan.diff."""
    before = "a\n\x0c\nb = '\u2028'\r\n\x85c\rd\n"
    assert FileChange("a.py", before, before.replace("b =", "x =")).diff == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,4 +1,4 @@\n"
        " a\n \x0c\n-b = '\u2028'\r\n+x = '\u2028'\r\n \x85c\rd\n"
    )


async def test_reads_see_planned_writes(sandbox: Sandbox) -> None:
    """behaviour: plan.reads-overlay."""
    plan = await sandbox.plan(
        "write_file('./a.txt', 'new')\nread_file('a.txt') + read_file('README.md')"
    )
    assert plan.result.value == "new# Sample\n"


async def test_applying_writes_every_file(sandbox: Sandbox, project: MemoryProject) -> None:
    """behaviour: plan.apply."""
    plan = await sandbox.plan(FIX)
    assert await plan.apply() == ("NOTES.md", "src/app.py", "src/models.py")
    assert project.files["NOTES.md"] == "fixed\n"
    assert "# error" not in project.files["src/models.py"]


async def test_a_file_that_changed_meanwhile_refuses_the_whole_plan(
    sandbox: Sandbox, project: MemoryProject
) -> None:
    """behaviour: plan.conflict."""
    plan = await sandbox.plan(FIX)
    project.files["src/models.py"] += "# edited\n"
    before = project.snapshot()
    with pytest.raises(PlanError, match=r"src/models\.py changed since"):
        await plan.apply()
    assert project.files == before


async def test_an_execution_stops_the_plan_there(sandbox: Sandbox, project: MemoryProject) -> None:
    """behaviour: plan.stops-at-execute."""
    plan = await sandbox.plan("write_file('a', '1')\nrun_command('make')\nwrite_file('b', '2')")
    assert plan.result.status is Status.PLAN_STOPPED
    assert plan.stopped_at == Call(2, "run_command", {"command": "make"}, "execute")
    assert [change.path for change in plan.changes] == ["a"]
    assert project.commands == []


async def test_a_read_past_the_overlay_stops_the_plan(sandbox: Sandbox) -> None:
    """behaviour: plan.stops-at-stale-read."""
    plan = await sandbox.plan("typecheck('src')\nwrite_file('a', '1')\ntypecheck('src')")
    assert plan.result.status is Status.PLAN_STOPPED
    assert plan.stopped_at == Call(3, "typecheck", {"path": "src"}, "read")


async def test_a_plan_leaves_the_variables_alone(sandbox: Sandbox) -> None:
    """behaviour: plan.keeps-state."""
    await sandbox.run("x = 1")
    plan = await sandbox.plan("x += 1\ny = x\nx")
    assert plan.result.value == 2
    assert (await sandbox.run("x")).value == 1
    assert sandbox.names == {"x"}


async def test_a_denied_read_is_denied_in_a_plan_too(project: MemoryProject) -> None:
    """behaviour: plan.policy."""

    def no_reads(call: Call) -> Decision:
        return deny("no" if call.name == "read_file" else "writes are not asked for")

    async with Sandbox(project.functions(), policy=no_reads, preview=project.preview()) as sandbox:
        plan = await sandbox.plan("write_file('a', '1')\nread_file('README.md')")
    assert plan.result.error is not None
    assert plan.result.error.type == "PermissionError"
    assert [change.path for change in plan.changes] == ["a"]


async def test_without_a_preview_there_is_no_plan(project: MemoryProject) -> None:
    """behaviour: plan.needs-preview."""
    async with Sandbox(project.functions()) as sandbox:
        with pytest.raises(PlanError, match="preview"):
            await sandbox.plan("1")


async def test_a_preview_must_render_like_the_sandbox(project: MemoryProject) -> None:
    """behaviour: plan.same-contract."""
    other = Preview(project, lambda _: ExternalFunctions([project.read_file]))
    async with Sandbox(project.functions(), preview=other) as sandbox:
        with pytest.raises(PlanError, match="render"):
            await sandbox.plan("1")


async def test_a_failed_write_says_what_was_written_before_it(
    sandbox: Sandbox, project: MemoryProject
) -> None:
    """behaviour: plan.partial-apply."""
    plan = await sandbox.plan("write_file('a', '1')\nwrite_file('b', '2')")
    write = project.write_text

    async def full_disk(path: str, text: str) -> None:
        if path == "b":
            raise OSError("disk full")
        await write(path, text)

    project.write_text = full_disk
    with pytest.raises(PlanError, match=r"disk full.*written before it: a"):
        await plan.apply()


async def test_a_missing_final_newline_is_said_in_the_diff(sandbox: Sandbox) -> None:
    """behaviour: plan.diff."""
    plan = await sandbox.plan("write_file('a', 'one')")
    assert (
        plan.diff == "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+one\n\\ No newline at end of file\n"
    )


async def test_a_read_that_must_be_asked_about_stops_the_plan(project: MemoryProject) -> None:
    """behaviour: plan.stops-at-question."""
    async with Sandbox(
        project.functions(),
        policy=lambda call: ask if call.effect == "read" else allow,
        preview=project.preview(),
    ) as sandbox:
        plan = await sandbox.plan("write_file('a', '1')\nread_file('b')\nwrite_file('c', '2')")
        assert plan.result.status is Status.PLAN_STOPPED
        assert plan.result.pending is None  # going on with it would be a real run
        assert plan.stopped_at == Call(2, "read_file", {"path": "b"}, "read")
        assert (await sandbox.run("1 + 1")).value == 2


async def test_two_names_of_one_file_are_noticed_before_the_second_overwrites_the_first() -> None:
    """behaviour: plan.aliases."""
    project = MemoryProject({"a": "old\n"})
    real = project.read_text, project.write_text
    project.read_text = lambda path: real[0]("a" if path == "link" else path)
    project.write_text = lambda path, text: real[1]("a" if path == "link" else path, text)
    async with Sandbox(project.functions(), preview=project.preview()) as sandbox:
        plan = await sandbox.plan("write_file('a', 'one\\n')\nwrite_file('link', 'two\\n')")
        with pytest.raises(PlanError, match=r"link changed since .* written before it: a"):
            await plan.apply()
    assert project.files["a"] == "one\n"


async def test_options_that_a_preview_does_not_know_stop_the_plan() -> None:
    """behaviour: plan.options."""
    files = {"a": "one\ntwo\n"}

    def read(path: str, first_line: int = 1) -> str:
        return "".join(files[path].splitlines(keepends=True)[first_line - 1 :])

    def write(path: str, content: str, *, append: bool = False) -> None:
        files[path] = content

    functions = ExternalFunctions([read, write], effects={"write": "write"})
    preview = Preview.by_name(functions, read="read", write="write")
    async with Sandbox(functions, preview=preview) as sandbox:
        assert (await sandbox.plan("read('a', 2)")).result.value == "two\n"
        for code in ("write('a', 'x')\nread('a', 2)", "write('a', 'x', append=True)"):
            plan = await sandbox.plan(code)
            assert plan.result.status is Status.PLAN_STOPPED, code
            assert "without options only" in str(plan.result.error)
    assert files == {"a": "one\ntwo\n"}
