"""Plan mode: code runs on an overlay, a person sees one diff, and either all of it is written or nothing.

Reads go to the real files, writes stay in the overlay. Code that wants to run a command is stopped there:
what it planned before is put to the person, and the model is told what did not run. Code whose first
effect is a command has nothing to preview and runs as in the mode "ask", each call asked for by itself.
Files that programs obey (`punie_agent._guarded`) are asked for one by one after the plan; who refuses one has
refused all of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from punie_agent._overlay import OverlayHost
from punie_agent.paused import run_afresh
from punie_agent.permissions import FileChange, PermissionRequest, title_of_call

if TYPE_CHECKING:
    from punie_agent.permissions import Permissions
    from punie_sandbox import ExternalFunctions, Overlay, Plan, Preview, RunResult, Sandbox
    from punie_tools import Host

__all__ = ["preview_for", "run_planned", "was_refused"]

_REFUSED = "nothing was written"
_READ, _WRITE = "read_file", "write_file"
_UNAFFECTED = frozenset({"git_log"})
_NAVIGATE = frozenset(
    {"goto_definition", "find_references", "hover", "document_symbols", "workspace_symbols"}
)
"""These ask a server of their own about the real files, so they stay as `Preview.by_name` makes them."""


def preview_for(functions: ExternalFunctions, host: Host) -> Preview | None:
    """How a sandbox with these functions makes plans; None where files are not read and written by name.

    Args:
        functions: the sandbox's functions.
        host: where the real files are.
    """
    from punie_sandbox import Preview
    from punie_tools import EFFECTS, Toolbox

    if _READ not in functions or _WRITE not in functions:
        return None
    by_name = Preview.by_name(
        functions, read=_READ, write=_WRITE, unaffected=_UNAFFECTED & set(functions.names)
    )
    standard = [
        name
        for name, effect in EFFECTS.items()
        if effect != "execute" and name in functions and name not in _NAVIGATE
    ]

    def over(overlay: Overlay) -> ExternalFunctions:
        tools = Toolbox(OverlayHost(host, overlay)).functions(standard)
        return by_name.functions(overlay).replaced(dict(zip(standard, tools, strict=True)))

    return Preview(host, over)


async def run_planned(
    sandbox: Sandbox, code: str, *, code_id: str, permissions: Permissions
) -> tuple[RunResult, str]:
    """Run code as a plan, ask once, and once more for each file that programs obey, and apply it.

    Returns:
        The run, with a PermissionError as its error when the plan was rejected and the status "pending"
        when nobody could be asked, and a note for the model about what was written ("" when there is
        nothing to say).
    """
    from punie_sandbox import Status

    plan = await sandbox.plan(code)
    if not plan.changes and plan.result.status in {Status.OK, Status.PLAN_STOPPED}:
        # Nothing to preview: the real run keeps the variables, and asks for each command.
        return await run_afresh(sandbox, code), ""
    if plan.result.status not in {Status.OK, Status.PLAN_STOPPED}:
        return plan.result, ""
    request = _request(plan, code_id)
    decision = await permissions.ask(request)
    if decision.allows:
        decision = await permissions.ask_guarded(request.changes, tool=_WRITE, code_id=code_id)
    if decision.outcome == "defer":
        # Nothing has happened yet: what waits is the code itself, to be planned anew and asked about.
        return replace(plan.result, status=Status.PENDING), ""
    if not decision.allows:
        return _stopped(plan.result, "PermissionError", _refused(decision.reason)), ""
    return await _applied(plan)


async def _applied(plan: Plan) -> tuple[RunResult, str]:
    from punie_sandbox import PlanError

    try:
        written = await plan.apply()
    except (PlanError, OSError, ValueError) as error:  # the editor, too, may refuse or be gone
        return _stopped(plan.result, "PlanError", str(error)), ""
    note = f"Written: {', '.join(written)}. The variables of this run are gone."
    if plan.stopped_at is None:
        return plan.result, note
    missing = title_of_call(plan.stopped_at.name, plan.stopped_at.arguments)
    return plan.result, f"{note} Not done yet, from here on: {missing}."


def _request(plan: Plan, code_id: str) -> PermissionRequest:
    names = [change.path for change in plan.changes]
    title = (
        f"Change {names[0]}"
        if len(names) == 1
        else f"Change {len(names)} files: {', '.join(names)}"
    )
    return PermissionRequest(
        code_id=code_id,
        call_id="",
        tool="plan",
        effect="write",
        title=title,
        diff=plan.diff,
        changes=tuple(FileChange(each.path, each.before, each.after) for each in plan.changes),
    )


def _refused(reason: str) -> str:
    return f"{_REFUSED}: {reason or 'the user said no'}"


def was_refused(result: RunResult) -> bool:
    """True when this is the run of a plan that a person rejected."""
    error = result.error
    return (
        error is not None and error.type == "PermissionError" and error.message.startswith(_REFUSED)
    )


def _stopped(result: RunResult, kind: str, message: str) -> RunResult:
    from punie_sandbox import RunError, Status

    return replace(result, status=Status.ERROR, error=RunError(kind, message))
