"""Who may do what: the policy that every tool call of the sandbox passes through.

`Permissions` is handed to the sandbox as its policy. It decides from the mode, from remembered rules
and, last, by asking a person. Whatever is not a clear "yes" is a "no": an unknown answer, an asker
that raises, no asker at all. A rejection stops that one call, and the code sees a PermissionError.

Rules for a project live in a readable JSON file in the user's data directory and not in the project:
a cloned repository, or code the model wrote, cannot grant itself anything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from punie_agent._guarded import guarded, named_in
from punie_agent._overlay import changes_of
from punie_agent._watch import current_watch
from punie_agent._wording import (
    command_line,
    path_of,
    rest_of,
    rule_of,
    text_of,
    title_of_call,
    unified_diff,
)
from punie_agent.events import Effect
from punie_agent.paths import data_dir, project_key, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from punie_sandbox import Call, Decision
    from punie_sandbox import FileChange as Planned
    from punie_tools import Host

__all__ = [
    "MODES",
    "Asker",
    "FileChange",
    "Mode",
    "Outcome",
    "PermissionDecision",
    "PermissionRequest",
    "Permissions",
    "ProjectRules",
    "title_of_call",
]

Outcome = Literal["allow_once", "allow_session", "allow_always", "reject", "defer"]
_YES = frozenset({"allow_once", "allow_session", "allow_always"})
Mode = Literal["ask", "accept-edits", "plan", "auto"]
MODES: Mapping[Mode, str] = {
    "ask": "Ask before each write and each command",
    "accept-edits": "Write files without asking, ask before each command",
    "plan": "Run on an overlay, show one diff, ask once",
    "auto": "Write and run without asking",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a plan: its text now (None: it does not exist) and the text it would get."""

    path: str
    old_text: str | None
    new_text: str


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """What a person is asked, with everything needed to answer.

    Attributes:
        code_id: the code call it comes from, as in the events.
        call_id: the tool call; "" for the approval of a whole plan.
        tool: the tool's name, or "plan".
        effect: what it does to the world.
        title: one line for a card, for example "Write src/app.py" or "Run pytest -q".
        arguments: the call's arguments by name.
        path: the file a write goes to, as the code gave it.
        old_text: that file's text now; None when the file is new or not text.
        new_text: the text it would get.
        diff: a unified diff, for a write or a whole plan.
        changes: the files of a whole plan or of a rewriting tool, each with its old and new text.
        command: the command line, for an execution.
        more: the arguments that neither diff nor command line shows, in full, one below the other.
        rule: what "always" would remember, for example "run_command: pytest -q".
    """

    code_id: str
    call_id: str
    tool: str
    effect: Effect
    title: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    path: str | None = None
    old_text: str | None = None
    new_text: str | None = None
    diff: str | None = None
    changes: tuple[FileChange, ...] = ()
    command: str | None = None
    more: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class PermissionDecision:
    """A person's answer. `reason` is told to the code when the answer is no.

    "defer" is no answer: nobody can be asked now, and the run shall wait for one, even for another
    process (see `punie_agent.loop.PausedRun`).
    """

    outcome: Outcome
    reason: str = ""

    @property
    def allows(self) -> bool:
        """True for a clear yes; "defer" is none."""
        return self.outcome in _YES


Asker = Callable[[PermissionRequest], Awaitable[PermissionDecision]]


class ProjectRules:
    """What a person allowed for ever in one project, in one readable file per project."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.path = data_dir() / "permissions" / f"{project_key(project)}.json"

    def read(self) -> frozenset[str]:
        """The rules; none when the file is missing or damaged."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read (%s); its rules do not apply", self.path, error)
            return frozenset()
        rules = data.get("allow") if isinstance(data, dict) else None
        if not isinstance(rules, list):
            logger.warning("%s has no list `allow`; its rules do not apply", self.path)
            return frozenset()
        return frozenset(rule for rule in rules if isinstance(rule, str))

    def add(self, rule: str) -> None:
        """Remember one rule.

        Raises:
            OSError: the file cannot be written.
        """
        rules = sorted({*self.read(), rule})
        text = json.dumps({"project": str(self.project.resolve()), "allow": rules}, indent=2)
        write_whole(self.path, text + "\n", private=True)


class Permissions:
    """The sandbox's policy: decides from mode, remembered rules and an asker, in this order.

    Args:
        asker: asks a person; without one everything that needs asking is refused.
        mode: see `MODES`; it can be changed at any time and holds for the next call.
        project: the folder whose "always" rules apply; without one "always" lasts for the session.
        host: where the old text of a file is read for a diff.

    Attributes:
        session_rules: what was allowed for this session; a host may store and restore it.
    """

    def __init__(
        self,
        asker: Asker | None = None,
        *,
        mode: Mode = "ask",
        project: Path | None = None,
        host: Host | None = None,
    ) -> None:
        self.asker = asker
        self.mode: Mode = mode
        self.host = host
        self.session_rules: set[str] = set()
        self._project_rules = ProjectRules(project) if project is not None else None
        self._one_question_at_a_time = asyncio.Lock()

    async def __call__(self, call: Call) -> Decision:
        """Decide one call, reporting it to the turn that is watching."""
        from punie_sandbox import allow, ask, deny

        watch = current_watch()
        if watch is not None:
            watch.attempted(call)
        try:
            decision = await self._decided(call)
        except Exception as error:
            # What cannot be described to a person cannot be allowed; and it is no end of the whole turn.
            logger.exception("a call could not be decided about")
            told = f"it could not be asked about: {type(error).__name__}: {error}"
            decision = PermissionDecision("reject", told)
        if decision.allows:
            if watch is not None:
                watch.allowed(call)
            return allow
        if decision.outcome == "defer":
            return ask
        refusal = decision.reason or "the user said no"
        if watch is not None:
            watch.denied(call, refusal)
        return deny(refusal)

    def allows(self, effect: Effect) -> bool:
        """True when the mode alone lets this effect happen."""
        if effect == "read":
            return True
        return self.mode == "auto" or (self.mode == "accept-edits" and effect == "write")

    def remembers(self, rule: str) -> bool:
        """True when a person allowed this for the session or the project."""
        if rule in self.session_rules:
            return True
        return self._project_rules is not None and rule in self._project_rules.read()

    async def ask(self, request: PermissionRequest) -> PermissionDecision:
        """Ask a person and remember the answer. Never raises an asker's error: that is a no."""
        if self.asker is None:
            return PermissionDecision("reject", "nobody is here to allow it")
        try:
            decision = await self.asker(request)
        except Exception as error:
            logger.exception("asking for permission failed")
            return PermissionDecision("reject", f"asking for permission failed: {error}")
        outcome = getattr(decision, "outcome", None)
        if outcome not in get_args(Outcome):
            return PermissionDecision("reject", f"unknown answer {outcome!r}")
        self._remember(request.rule, decision.outcome)
        return decision

    async def _decided(self, call: Call) -> PermissionDecision:
        if self.allows(call.effect) and (self.mode == "auto" or not self._guarded(call)):
            return PermissionDecision("allow_once")
        async with self._one_question_at_a_time:
            if self.remembers(self._rule(call)):
                return PermissionDecision("allow_once")
            return await self._asked_about(call)

    async def _asked_about(self, call: Call) -> PermissionDecision:
        """Ask; and ask again when the file was changed while the person looked at the diff."""
        request = await self.request_for(call)
        while True:
            decision = await self.ask(request)
            if decision.outcome != "allow_once" or call.effect != "write":
                return decision
            shown, request = request, await self.request_for(call)
            if (request.old_text, request.changes) == (shown.old_text, shown.changes):
                return decision

    def _rule(self, call: Call) -> str:
        """What "always" means for this call: the exact command or guarded files, else the tool."""
        paths = self._guarded(call)
        return f"{call.name}: {', '.join(paths)}" if paths else rule_of(call)

    def _guarded(self, call: Call) -> list[str]:
        """The guarded files that a write goes to; for a plug-in's tool, whatever argument names them.

        What a built-in tool takes besides a path is known to be none.
        """
        from punie_tools import EFFECTS

        if call.effect != "write" or self.host is None:
            return []
        known = call.name in EFFECTS
        named = {path_of(call.arguments) or ""} if known else set(named_in(call.arguments))
        found = (guarded(each, self.host.roots) for each in named)
        return sorted({path for path in found if path is not None})

    async def ask_guarded(
        self, changes: Sequence[FileChange], *, tool: str, code_id: str
    ) -> PermissionDecision:
        """Ask for each file among these that takes a permission of its own, until one is refused.

        Args:
            changes: what would be written together.
            tool: the tool that writes, as its calls by themselves would be asked about.
            code_id: the code call it comes from.
        """
        roots = self.host.roots if self.host is not None else ()
        together = [change.path for change in changes]
        for change in changes:
            path = guarded(change.path, roots, together)
            if path is None or self.remembers(f"{tool}: {path}"):
                continue
            decision = await self.ask(_single(change, tool, code_id, rule=f"{tool}: {path}"))
            if not decision.allows:
                return decision
        return PermissionDecision("allow_once")

    def _remember(self, rule: str, outcome: Outcome) -> None:
        if not rule or outcome not in {"allow_session", "allow_always"}:
            return
        if outcome == "allow_always" and self._project_rules is not None:
            try:
                self._project_rules.add(rule)
            except OSError as error:
                logger.warning("the rule lasts for this session only: %s", error)
            else:
                return  # not for the session too: who takes it out of the file has taken it back
        self.session_rules.add(rule)

    async def request_for(self, call: Call) -> PermissionRequest:
        """Describe a call for a person: title, command or diff, and the rule "always" would make."""
        watch = current_watch()
        path = path_of(call.arguments)
        command = command_line(call.arguments) if call.effect == "execute" else None
        new_text = text_of(call.arguments.get("content")) if call.effect == "write" else None
        old_text = await self._old_text(path) if new_text is not None and path is not None else None
        diff = unified_diff(path or "", old_text or "", new_text) if new_text is not None else None
        changes = await self._changes(call) if call.effect == "write" and new_text is None else ()
        return PermissionRequest(
            code_id=watch.code_id if watch is not None else "",
            call_id=watch.call_id(call.id) if watch is not None else str(call.id),
            tool=call.name,
            effect=call.effect,
            title=title_of_call(call.name, call.arguments),
            arguments=dict(call.arguments),
            path=path,
            old_text=old_text,
            new_text=new_text,
            diff=diff if not changes else "".join(each.diff for each in changes),
            changes=tuple(FileChange(each.path, each.before, each.after) for each in changes),
            command=command,
            more="" if changes else rest_of(call.name, call.arguments, call.effect),
            rule=self._rule(call),
        )

    async def _changes(self, call: Call) -> tuple[Planned, ...]:
        """What a write that does not name its text would change, found out on an overlay."""
        return (
            await changes_of(self.host, call.name, call.arguments) if self.host is not None else ()
        )

    async def _old_text(self, path: str) -> str | None:
        if self.host is None:
            return None
        try:
            return await self.host.read_text(path)
        except (OSError, ValueError):
            return None


def _single(change: FileChange, tool: str, code_id: str, *, rule: str) -> PermissionRequest:
    """The question about one file of several."""
    return PermissionRequest(
        code_id=code_id,
        call_id="",
        tool=tool,
        effect="write",
        title=title_of_call(tool, {"path": change.path}),
        path=change.path,
        old_text=change.old_text,
        new_text=change.new_text,
        diff=unified_diff(change.path, change.old_text or "", change.new_text),
        rule=rule,
    )
