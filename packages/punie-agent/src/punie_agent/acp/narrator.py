"""What a turn does, told in the protocol's words: events of the loop become updates of the editor.

A code call is one tool call; each typed tool it uses is a tool call of its own, whose `_meta.punie.code`
names the code call it belongs to. Writes carry a diff with the old text; commands carry the editor's
live terminal, and their captured text for a later replay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acp import schema
from pydantic import BaseModel

from punie_agent._visible import fenced, one_line, visible
from punie_agent._watch import current_call
from punie_agent.events import (
    CallFinished,
    CallStarted,
    CodeFinished,
    CodeStarted,
    Compacted,
    Notice,
    Retried,
    TextDelta,
    ThoughtDelta,
    UsageReport,
)
from punie_agent.permissions import title_of_call

if TYPE_CHECKING:
    from acp.schema import PlanEntryStatus, ToolKind

    from punie_agent.acp.editor import UpdateStream
    from punie_agent.events import Effect, Event
    from punie_agent.permissions import PermissionRequest
    from punie_sandbox import RunResult

__all__ = ["Narrator", "text_content", "tool_kind"]

_MOST_TEXT = 20_000
_MOST_ITEMS = 50
_SEARCHES = {
    "goto_definition",
    "find_references",
    "hover",
    "document_symbols",
    "workspace_symbols",
    "cst_find_pattern",
}
_KINDS: dict[Effect, ToolKind] = {"read": "read", "write": "edit", "execute": "execute"}
_Content = (
    schema.ContentToolCallContent | schema.FileEditToolCallContent | schema.TerminalToolCallContent
)


def tool_kind(tool: str, effect: Effect) -> ToolKind:
    """Return the protocol's kind of a tool."""
    return "search" if tool in _SEARCHES else _KINDS[effect]


def text_content(text: str, *, whole: bool = False) -> schema.ContentToolCallContent:
    """Return text as the content of a tool call, cut where it is very long and need not be whole."""
    block = schema.TextContentBlock(type="text", text=text if whole else _cut(text))
    return schema.ContentToolCallContent(type="content", content=block)


def _cut(text: str) -> str:
    if len(text) <= _MOST_TEXT:
        return text
    return f"{text[:_MOST_TEXT]}\n… cut: {len(text) - _MOST_TEXT} more characters"


@dataclass(slots=True)
class _Open:
    """A tool call that the editor has been told of and that is not over."""

    title: str
    content: list[_Content] = field(default_factory=list)
    replay: list[_Content] | None = None


class Narrator:
    """The watcher of one turn."""

    def __init__(self, stream: UpdateStream, *, prefix: str, root: Path) -> None:
        self._stream = stream
        self._prefix = prefix
        self._root = root
        self._open: dict[str, _Open] = {}
        self._code = ""
        self._plan: list[str] = []

    def tool_call_id(self, event_id: str) -> str:
        """Return the session-wide id of a code call or tool call."""
        return f"{self._prefix}{event_id}"

    def __call__(self, event: Event) -> None:
        """Tell the editor what happened."""
        match event:
            case TextDelta(text):
                self._say(text)
            case ThoughtDelta(text):
                block = schema.TextContentBlock(type="text", text=text)
                self._stream.tell(
                    schema.AgentThoughtChunk(session_update="agent_thought_chunk", content=block)
                )
            case CodeStarted() | CallStarted() | CallFinished() | CodeFinished():
                self._acts(event)
            case UsageReport():
                self._usage(event)
            case Retried(reason):
                self._think(f"Asking again: {reason}\n")
            case Compacted(before, after):
                self._think(f"Shortened the conversation from {before} to {after} messages.\n")

            case Notice(text):
                self._say(f"\n\n> **Punie:** {text}\n")

    def _acts(self, event: CodeStarted | CallStarted | CallFinished | CodeFinished) -> None:
        match event:
            case CodeStarted():
                self._code_started(event)
            case CallStarted():
                self._call_started(event)
            case CallFinished():
                self._call_finished(event)
            case CodeFinished():
                self._code_finished(event)

    def _say(self, text: str) -> None:
        block = schema.TextContentBlock(type="text", text=text)
        chunk = schema.AgentMessageChunk(session_update="agent_message_chunk", content=block)
        self._stream.tell(chunk)

    def allowed(self, event_id: str) -> None:
        """A permission was given: the call goes on."""
        self._update(event_id, status="in_progress")
        self._tell_plan("in_progress")

    def planned(self, request: PermissionRequest) -> None:
        """A plan is put to the person: each file it would change is a step of it."""
        self._plan = [
            f"{'Create' if each.old_text is None else 'Change'} {each.path}"
            for each in request.changes
        ]
        self._tell_plan("pending")

    def wrote(self, path: Path, old: str | None, new: str) -> None:
        """A file was written, by the call that is running or by a plan that was approved."""
        if (call := self._open.get(current_call.get() or self._code)) is not None:
            call.content.append(_diff(path, old, new))

    def opened_terminal(self, terminal: str) -> None:
        """A command runs in a terminal of the editor, for the call that is running."""
        event_id = current_call.get() or self._code
        if (call := self._open.get(event_id)) is not None:
            shown = schema.TerminalToolCallContent(type="terminal", terminal_id=terminal)
            call.content = [shown]
            call.replay = []
            self._update(event_id, status="in_progress", content=[shown], replay=[])

    def permission_card(self, request: PermissionRequest) -> schema.ToolCallUpdate:
        """Return everything a person needs for the decision: title, kind, input, diff or command."""
        return schema.ToolCallUpdate(
            tool_call_id=self.tool_call_id(request.call_id or request.code_id),
            title=request.title,
            kind=tool_kind(request.tool, request.effect),
            status="pending",
            content=self._asked(request),
            locations=self._locations({"path": request.path} if request.path else {}),
            raw_input=_plain(request.arguments),
        )

    def _asked(self, request: PermissionRequest) -> list[_Content]:
        """What the card shows beneath its title, with what is in neither diff nor command line."""
        # What is allowed is shown to its end: what a cut left out would be allowed unseen.
        told = text_content(fenced(request.more), whole=True)
        more: list[_Content] = [told] if request.more else []
        if more and request.command is None and request.diff is None:
            return more
        return [*self._effect(request), *more]

    def _effect(self, request: PermissionRequest) -> list[_Content]:
        if request.changes:
            return [
                _diff(self._root / each.path, each.old_text, each.new_text)
                for each in request.changes
            ]
        if request.path is not None and request.new_text is not None:
            return [_diff(self._root / request.path, request.old_text, request.new_text)]
        if request.command is not None:
            return [text_content(fenced(request.command, "sh"), whole=True)]
        if request.diff is not None:
            return [text_content(fenced(request.diff, "diff"), whole=True)]
        return [text_content(request.title)]

    def _code_started(self, event: CodeStarted) -> None:
        code = text_content(fenced(event.code.strip(), "python"))
        title = _code_title(event.code)
        self._open[event.code_id] = _Open(title, [code])
        self._code = event.code_id
        self._stream.tell(
            schema.ToolCallStart(
                session_update="tool_call",
                tool_call_id=self.tool_call_id(event.code_id),
                title=title,
                kind="execute",
                status="in_progress",
                content=[code],
                raw_input={"code": event.code},
                field_meta={"punie": {"tool": "execute_code"}},
            )
        )

    def _call_started(self, event: CallStarted) -> None:
        title = title_of_call(event.tool, event.arguments)
        self._open[event.call_id] = _Open(title)
        self._stream.tell(
            schema.ToolCallStart(
                session_update="tool_call",
                tool_call_id=self.tool_call_id(event.call_id),
                title=title,
                kind=tool_kind(event.tool, event.effect),
                status="in_progress" if event.effect == "read" else "pending",
                locations=self._locations(event.arguments),
                raw_input=_plain(event.arguments),
                field_meta={
                    "punie": {"tool": event.tool, "code": self.tool_call_id(event.code_id)}
                },
            )
        )

    def _call_finished(self, event: CallFinished) -> None:
        call = self._open.pop(event.call_id, None)
        if call is None:
            return
        said = text_content(event.error or _shown(event.value) or event.summary)
        content = call.content if call.content and event.error is None else [*call.content, said]
        replay: list[_Content] | None = None if call.replay is None else [said]
        self._update(
            event.call_id,
            status="failed" if event.error is not None or event.decision == "deny" else "completed",
            title=one_line(f"{call.title}: {event.error or event.summary}")[:200],
            content=content,
            replay=replay,
            raw_output=_plain(event.value) if event.error is None else {"error": event.error},
        )

    def _code_finished(self, event: CodeFinished) -> None:
        code = self._open.pop(event.code_id, None)
        if code is None:
            return
        result = event.result
        if result is not None and result.ok:
            self._tell_plan("completed")
        self._plan = []
        if result is None:
            told, output = "Cancelled.", {"status": "cancelled"}
        elif result.status == "pending":
            told, output = (
                "Waits for a permission: the next prompt asks again.",
                {"status": "pending"},
            )
        else:
            told, output = (
                _outcome(result),
                {"status": result.status.value, "stdout": _cut(result.stdout)},
            )
        self._update(
            event.code_id,
            status="completed" if result is not None and result.ok else "failed",
            content=[*code.content, text_content(told)],
            raw_output=output,
        )

    def _usage(self, event: UsageReport) -> None:
        if event.context_tokens is None or event.context_limit is None:
            return
        self._stream.tell(
            schema.UsageUpdate(
                session_update="usage_update", used=event.context_tokens, size=event.context_limit
            )
        )

    def _tell_plan(self, status: PlanEntryStatus) -> None:
        entries = [
            schema.PlanEntry(content=step, priority="medium", status=status) for step in self._plan
        ]
        if entries:
            self._stream.tell(schema.AgentPlanUpdate(session_update="plan", entries=entries))

    def _think(self, text: str) -> None:
        self(ThoughtDelta(text))

    def _update(
        self, event_id: str, *, replay: list[_Content] | None = None, **changes: Any
    ) -> None:
        def update(**fields: Any) -> schema.ToolCallProgress:
            return schema.ToolCallProgress(
                session_update="tool_call_update",
                tool_call_id=self.tool_call_id(event_id),
                **fields,
            )

        later = None if replay is None else update(**{**changes, "content": replay})
        self._stream.tell(update(**changes), replay=later)

    def _locations(self, arguments: Any) -> list[schema.ToolCallLocation] | None:
        path = arguments.get("path") or arguments.get("file_path")
        if not isinstance(path, str) or "\0" in path:
            return None
        line = arguments.get("line")
        at = line if isinstance(line, int) and line >= 0 else None
        return [schema.ToolCallLocation(path=str(self._root / path), line=at)]


def _code_title(code: str) -> str:
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    first = next((line for line in lines if not line.startswith("#")), "")
    more = f" … ({len(lines)} lines)" if len(lines) > 1 else ""
    return visible(f"{first[:80]}{more}") or "Run Python"


def _diff(path: Path, old: str | None, new: str) -> schema.FileEditToolCallContent:
    return schema.FileEditToolCallContent(type="diff", path=str(path), old_text=old, new_text=new)


def _outcome(result: RunResult) -> str:
    parts = [str(each) for each in result.diagnostics]
    if result.stdout:
        parts.append(fenced(result.stdout.rstrip()))
    if result.error is not None:
        parts.append(result.error.traceback or str(result.error))
    return "\n".join(parts) or "Done, nothing printed."


def _shown(value: object) -> str:
    """Return a tool's result for a person: text as it is, findings one a line."""
    if isinstance(value, str):
        return value
    if not isinstance(value, BaseModel):
        return ""
    lines = []
    for name in type(value).model_fields:
        items = getattr(value, name)
        if isinstance(items, list | tuple) and items and isinstance(items[0], BaseModel):
            lines += [_finding(item) for item in items[:_MOST_ITEMS]]
            if len(items) > _MOST_ITEMS:
                lines.append(f"… and {len(items) - _MOST_ITEMS} more")
    return "\n".join(lines)


def _finding(item: BaseModel) -> str:
    fields = {k: v for k, v in item.model_dump(mode="json").items() if v not in (None, "", [])}
    place = ":".join(str(fields.pop(k)) for k in ("file", "line", "column") if k in fields)
    rest = " ".join(str(v) for v in fields.values() if not isinstance(v, dict | list))
    return f"{place} {rest}".strip()


def _plain(value: object) -> Any:
    """Return JSON data for an editor's inspector, very long texts cut."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude={"run"})  # how a tool was run is for traces
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:1000]]
    return value if value is None or isinstance(value, bool | int | float) else _cut(str(value))
