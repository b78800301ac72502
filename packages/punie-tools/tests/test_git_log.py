"""git log: how many commits, and of which path."""

from __future__ import annotations

from pathlib import Path

import pytest

from punie_tools import Toolbox


@pytest.mark.parametrize(
    "count", [0, -1, -(10**5000)], ids=["none", "fewer", "beyond any number of git"]
)
async def test_a_log_of_no_commits_is_refused(toolbox: Toolbox, git, count: int) -> None:
    result = await toolbox.git_log(".", count=count)
    assert (result.status, result.commits) == ("tool_error", [])
    assert result.parse_error == (
        f"count is {max(count, 1 - 2**31)}, and git_log returns commits: ask for 1 or more."
    )


async def test_a_configuration_that_follows_renames_does_not_change_a_log(
    toolbox: Toolbox, root: Path, git
) -> None:
    (root / "old.txt").write_text("1\n2\n3\n")
    git("add", "-A")
    git("commit", "-qm", "First")
    git("mv", "old.txt", "new.txt")
    git("commit", "-qm", "Rename")
    git("config", "log.follow", "true")
    assert [each.message for each in (await toolbox.git_log("new.txt")).commits] == ["Rename"]
