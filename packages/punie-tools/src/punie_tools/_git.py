"""The three git questions as command lines that no configuration can change the meaning of.

Not covered: clean filters that `.git/config` names (git-crypt, nbstripout). Git runs them to tell
whether a file is changed, and without them the answer would be wrong; a clone never brings them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from punie_tools._runner import R, Runner, missing
from punie_tools.errors import ToolMissingError
from punie_tools.parsers._evidence import failed
from punie_tools.parsers.git import parse_git_diff, parse_git_log, parse_git_status
from punie_tools.results import GitDiffResult, GitLogResult, GitStatusResult

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["git_diff", "git_log", "git_status"]

# A repository's own configuration may name programs to run; reading must not run them.
_GIT = (
    *("git", "--no-pager", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
)
_STATUS = (
    *(*_GIT, "status", "--porcelain=v2", "--branch", "-z"),
    *("--untracked-files=all", "--find-renames", "--ignore-submodules=none"),
)
_DIFF = (
    *(*_GIT, "-c", "diff.ignoreSubmodules=none"),
    *("diff", "--exit-code", "--raw", "--numstat", "-z", "-M"),
    *("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
)
_LOG = (
    *(*_GIT, "log", "-z", "--no-color", "--no-show-signature", "--encoding=UTF-8"),
    "--format=%H%x1f%an%x1f%aI%x1f%s%x1f%b",
)
_ENV: Mapping[str, str | None] = {
    "LC_ALL": "C",
    "LANGUAGE": None,
    # A partial clone would fetch what it lacks, by whatever transport its configuration names.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
}


async def git_status(runner: Runner, path: str) -> GitStatusResult:
    """Run `git status` on a path."""
    argv = [*_STATUS, "--", runner.argument(path)]
    top = await _toplevel(runner, GitStatusResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    result = parse_git_status(done.stdout, done.stderr, done.exit_code, evidence, toplevel=top)
    return result if result.files else _unknown(runner, path, result)


async def git_diff(runner: Runner, path: str, *, staged: bool) -> GitDiffResult:
    """Run `git diff` on a path."""
    argv = [*_DIFF, *(["--cached"] if staged else []), "--", runner.argument(path)]
    top = await _toplevel(runner, GitDiffResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    result = parse_git_diff(done.stdout, done.stderr, done.exit_code, evidence, toplevel=top)
    return result if result.files else _unknown(runner, path, result)


async def git_log(runner: Runner, path: str, count: int) -> GitLogResult:
    """Run `git log` on a path."""
    argv = [*_LOG, f"--max-count={max(count, 0)}", "--", runner.argument(path)]
    top = await _toplevel(runner, GitLogResult, argv)
    if not isinstance(top, Path):
        return top
    done = await runner.run(argv, _ENV)
    evidence = await runner.evidence("git", done)
    return parse_git_log(done.stdout, done.stderr, done.exit_code, evidence)


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


def _unknown(runner: Runner, path: str, result: R) -> R:
    """Return `result`, unless git had nothing to say because there is no such path."""
    if result.status != "clean" or runner.contain(path).exists():
        return result
    reason = f"there is no {path}, and git knows of no change to it."
    return result.model_copy(update={"status": "nothing_checked", "parse_error": reason})
