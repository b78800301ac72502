"""What a program that edits would lead to, found by running it on a copy of the workspace."""

from __future__ import annotations

import ast
import asyncio
import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_agent.rehearsal._kept import lost_names, lost_uses
from punie_agent.rehearsal._scratch import Scratch, scratch_of

if TYPE_CHECKING:
    from punie_agent.contract import Contract
    from punie_sandbox import CallRecord, RunResult
    from punie_tools import Host, Toolbox

__all__ = ["Outcome", "can_be_tried", "outcome_of", "repairs"]

_CHECKS: Mapping[str, str] = {"typecheck": "errors", "ruff_check": "violations"}
"""The checks that run none of the workspace's code, and where their results list what they found."""
_WRITES = frozenset({"write_file", "cst_rename", "cst_add_import"})
_TRIED = _WRITES | _CHECKS.keys() | {"read_file", "cst_find_pattern"}


@dataclass(frozen=True, order=True)
class Outcome:
    """What came of a program; the smaller, the better.

    Attributes:
        failed: it did not run to its end, or took something away that it had no business to.
        findings: what its checks after its last write found; 0 when it broke off before them.
        idle: it changed nothing.
        before: what the same checks find without it, where it changed files that were there; else 0.
    """

    failed: bool
    findings: int
    idle: bool
    before: int = field(default=0, compare=False)

    @property
    def good(self) -> bool:
        """It ran, changed something, and what it checked is clean, or cleaner than it was."""
        better = self.findings == 0 or self.findings < self.before
        return better and not self.failed and not self.idle


def repairs(code: str, before: str, tools: Iterable[str]) -> bool:
    """Tell whether a program that edits answers to a check that the one before it made of the same thing.

    Args:
        code: a program that `can_be_tried`.
        before: the program that ran just before it.
        tools: the names of all functions they may call.
    """
    try:
        checked, edited = ast.parse(before), ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if _names(checked).read & set(tools) & _WRITES:
        return False
    return bool(_checks_in(checked) & _checks_in(edited))


def can_be_tried(code: str, tools: Iterable[str], earlier: Iterable[str] = ()) -> bool:
    """Tell whether a program writes, checks what it wrote, and can do both on a copy.

    Args:
        code: the program.
        tools: the names of all functions it may call.
        earlier: programs that ran before; what depends on their variables cannot be tried alone.
    """
    try:
        names = _names(ast.parse(code))
        before = [_names(ast.parse(each)) for each in earlier]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    called = names.read & set(tools)
    checks = bool(called & _WRITES and called & _CHECKS.keys())
    alone = not any((names.read - names.bound) & each.bound for each in before)
    return checks and alone and called <= _TRIED


async def outcome_of(
    code: str, contract: Contract, host: Host, host_at: Callable[[Path], Host]
) -> Outcome | None:
    """Run a program on a copy of a workspace; None where that cannot be done, or nothing was found out.

    Nothing is found out where a check cannot be made, or the program checks nothing after its last write.

    Args:
        code: a program that `can_be_tried`.
        contract: how the model is spoken to; its functions say which tools there are.
        host: the workspace's host.
        host_at: makes the host of a copy.
    """
    from punie_agent.contract import standard_functions
    from punie_sandbox import Sandbox, SandboxError
    from punie_tools import Toolbox, ToolsError

    tools = [name for name in contract.functions.names if name in _TRIED]
    try:
        async with scratch_of(host, host_at) as scratch:
            if scratch is None:
                return None
            toolbox = Toolbox(scratch)
            async with Sandbox(standard_functions(toolbox, tools)) as sandbox:
                result = await sandbox.run(code)
            found = await _judged(result, scratch, toolbox)
    except (OSError, SandboxError, ToolsError, RecursionError, MemoryError):
        # A disk that is full, files that are gone meanwhile, a program nested too deeply to be looked at: the
        # reply is then answered as it is.
        found = None
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError  # something failed at being stopped, and the stop is no less one
    return found


async def _judged(result: RunResult, scratch: Scratch, toolbox: Toolbox) -> Outcome | None:
    checks = _last_checks(result.calls)
    found = [_findings(check.name, check.result) for check in checks]
    if None in found or (result.ok and not found):
        return None
    findings = sum(each for each in found if each is not None)
    changed = await scratch.changed()
    lost = any(_lost(lost_names, path, *texts) for path, texts in changed.items())
    dropped = any(_lost(lost_uses, path, *texts) for path, texts in changed.items())
    failed, before = not result.ok or lost, 0
    if (findings or dropped) and not failed and changed and all(old for old, _ in changed.values()):
        before = await _found_before(checks, changed, scratch, toolbox)
    return Outcome(
        failed=failed or (dropped and before > 0),
        findings=findings,
        idle=not changed,
        before=before,
    )


async def _found_before(
    checks: Sequence[CallRecord],
    changed: Mapping[str, tuple[str, str]],
    scratch: Scratch,
    toolbox: Toolbox,
) -> int:
    """What the checks find where nothing was changed; afterwards nothing is."""
    for path, (old, _) in changed.items():
        await scratch.write_text(path, old)
    total = 0
    for check in checks:
        result = await getattr(toolbox, check.name)(**check.arguments)
        total += _findings(check.name, result.model_dump(mode="json")) or 0
    return total


def _last_checks(calls: Sequence[CallRecord]) -> list[CallRecord]:
    """The checks of what was written: those after the last write, each of them once."""
    writes = [
        number for number, call in enumerate(calls) if call.name in _WRITES and not call.error
    ]
    later = calls[writes[-1] + 1 :] if writes else calls
    checks = {f"{call.name} {call.arguments}": call for call in later if call.name in _CHECKS}
    return list(checks.values())


def _lost(what: Callable[[str, str], list[str]], path: str, before: str, after: str) -> bool:
    """True when a Python file that was right, as far as syntax goes, lost something."""
    if not path.endswith(".py"):
        return False
    try:
        return bool(what(before, after))
    except (SyntaxError, ValueError):  # it was no Python before either
        return False


def _findings(check: str, result: Any) -> int | None:
    """How much a check found; None where it gave no answer, as where the tool is not installed."""
    if not isinstance(result, Mapping):
        return None
    found = len(result.get(_CHECKS[check]) or ())
    return found if found or result.get("success") else None


def _checks_in(tree: ast.Module) -> set[str]:
    """The checks that a program makes, as they are written."""
    return {
        ast.unparse(call)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in _CHECKS
    }


@dataclass(frozen=True)
class _Names:
    bound: frozenset[str]
    read: frozenset[str]


def _names(tree: ast.Module) -> _Names:
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    read = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    return _Names(frozenset(bound), frozenset(read - vars(builtins).keys()))
