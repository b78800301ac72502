"""The three git questions as command lines that no configuration can change the meaning of.

Not covered: clean filters that `.git/config` names (git-crypt, nbstripout). Git runs them to tell
whether a file is changed, and without them the answer would be wrong; a clone never brings them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from punie_tools._runner import R, Runner, missing
from punie_tools.errors import ToolMissingError
from punie_tools.parsers._evidence import failed
from punie_tools.parsers.git import parse_git_diff, parse_git_log, parse_git_status
from punie_tools.paths import as_argument, display
from punie_tools.results import GitDiffResult, GitLogResult, GitStatusResult

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["git_diff", "git_log", "git_status"]

# A repository's own configuration may name programs to run; reading must not run them. And a folder that is
# a repository by the files in it, without a `.git`, may have come with a clone: its configuration is not the
# user's.
_GIT = (
    *("git", "--no-pager", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),
)
_STATUS = (
    *(*_GIT, "status", "--porcelain=v2", "--branch", "-z"),
    *("--untracked-files=all", "--find-renames", "--ignore-submodules=none"),
)
_DIFF = (
    # Without refreshing, it lists files that were touched and not changed.
    *(*_GIT, "-c", "diff.autoRefreshIndex=true"),
    # As an option, it wins over what `.gitmodules` says of each submodule.
    *("diff", "--ignore-submodules=none", "--exit-code", "--raw", "--numstat", "-z", "-M"),
    *("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
)
# A name, a subject and a body may hold anything but NUL: nothing else keeps the fields apart.
_LOG = (
    *(*_GIT, "log", "-z", "--no-color", "--no-show-signature", "--no-follow", "--encoding=UTF-8"),
    "--format=%H%x00%an%x00%aI%x00%s%x00%b",
)
_MOST = 2**31 - 1
_ENV: Mapping[str, str | None] = {
    "LC_ALL": "C",
    "LANGUAGE": None,
    # A partial clone would fetch what it lacks, by whatever transport its configuration names.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
}


async def git_status(runner: Runner, path: str) -> GitStatusResult:
    """Run `git status` on a path."""
    argv = [*_STATUS, "--", *_arguments(runner, path)]
    top = await _toplevel(runner, GitStatusResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    result = parse_git_status(done.stdout, done.stderr, done.exit_code, evidence, toplevel=top)
    return result if result.files else await _unknown(runner, path, result, top)


async def git_diff(runner: Runner, path: str, *, staged: bool) -> GitDiffResult:
    """Run `git diff` on a path."""
    argv = [*_DIFF, *(["--cached"] if staged else []), "--", *_arguments(runner, path)]
    top = await _toplevel(runner, GitDiffResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    result = parse_git_diff(done.stdout, done.stderr, done.exit_code, evidence, toplevel=top)
    return result if result.files else await _unknown(runner, path, result, top)


async def git_log(runner: Runner, path: str, count: int) -> GitLogResult:
    """Run `git log` on a path."""
    named = _arguments(runner, path)
    if count < 1:
        reason = f"count is {max(count, -_MOST)}, and git_log returns commits: ask for 1 or more."
        return GitLogResult(status="tool_error", parse_error=reason)
    argv = [*_LOG, f"--max-count={min(count, _MOST)}", "--", *named]
    top = await _toplevel(runner, GitLogResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    return parse_git_log(done.stdout, done.stderr, done.exit_code, evidence)


def _arguments(runner: Runner, path: str) -> list[str]:
    """Return a path as git gets it: where it leads, and the link itself, which git keeps as a file."""
    target = runner.argument(path)
    link = runner.contain(str(Path(path).parent)) / Path(path).name
    if not os.path.islink(link):  # noqa: PTH114 - it never raises, however long the name
        return [target]
    return [as_argument(link, runner.root), target]


def _is_there(runner: Runner, path: str) -> bool:
    return os.path.lexists(runner.contain(path)) or os.path.islink(runner.root / path)  # noqa: PTH114 - as above


async def _toplevel(runner: Runner, model: type[R], argv: list[str]) -> Path | R:
    """Return the repository's top directory, or the result that says why there is none."""
    try:
        done = await runner.run([*_GIT, "rev-parse", "--show-toplevel"], _ENV)
    except ToolMissingError as error:
        return missing(model, error, argv)
    if done.exit_code == 0 and (text := done.stdout.removesuffix(b"\n")):
        return Path(text.decode("utf-8", "backslashreplace"))
    evidence = await runner.evidence("git", done)
    verdict = failed("git", done.stderr, done.exit_code)
    return model(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        run=evidence.run(done.stderr, done.exit_code),
    )


async def _unknown(runner: Runner, path: str, result: R, top: Path) -> R:
    """Return `result`, unless git had nothing to say because the path is none of the repository's."""
    if result.status != "clean":
        return result
    reason = None
    if not _is_there(runner, path):
        reason = f"there is no {path}, and git knows of no change to it."
    elif nested := await _nested(runner, path, top):
        reason = (
            f"{path} is in {nested}, a repository of its own, of which the workspace's shows "
            f"nothing; ask about it in {nested}."
        )
    if reason is None:
        return result
    return result.model_copy(update={"status": "nothing_checked", "parse_error": reason})


async def _nested(runner: Runner, path: str, top: Path) -> str | None:
    """Return the repository inside the workspace's that a path belongs to; None where it is in none."""
    target = runner.contain(path)
    for folder in (target, *target.parents):
        if folder == top or not folder.is_relative_to(top):
            return None
        if not (folder / ".git").exists():
            continue
        done = await runner.run([*_GIT, "-C", str(folder), "rev-parse", "--show-toplevel"], _ENV)
        said = done.stdout.removesuffix(b"\n").decode("utf-8", "backslashreplace")
        if done.exit_code == 0 and Path(said) == top:  # what is called .git there is no repository
            continue
        # A submodule, named itself, is a path of the workspace's repository, and was looked at.
        if folder == target and await _is_submodule(runner, folder):
            return None
        return display(folder, runner.root)
    return None


async def _is_submodule(runner: Runner, path: Path) -> bool:
    done = await runner.run([*_GIT, "ls-files", "-z", "--stage", "--", str(path)], _ENV)
    return done.exit_code == 0 and done.stdout.startswith(b"160000 ")
