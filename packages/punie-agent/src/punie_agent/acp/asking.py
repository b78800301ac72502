"""Asking the person at the editor for a permission, so that only a clear yes is a yes.

A cancelled turn, an error, an answer that was not offered: each is a rejection of that one call. When
the editor is lost while the card is open there is no answer: the run waits, for another process even.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from acp import schema

from punie_agent._visible import visible
from punie_agent.acp.editor import EditorError
from punie_agent.permissions import PermissionDecision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acp.schema import PermissionOptionKind

    from punie_agent.acp.editor import Editor
    from punie_agent.acp.narrator import Narrator
    from punie_agent.permissions import Outcome, PermissionRequest

__all__ = ["Person"]

_OPTIONS: Mapping[Outcome, tuple[str, PermissionOptionKind]] = {
    "allow_once": ("Allow once", "allow_once"),
    "allow_session": ("Allow for this session", "allow_always"),
    "allow_always": ("Always allow in this project", "allow_always"),
    "reject": ("Reject", "reject_once"),
}
_PLAN: tuple[Outcome, ...] = ("allow_once", "reject")
_MOST_OF_RULE = 60


class Person:
    """Whoever sits at the editor during one turn.

    Attributes:
        asked: whether a card is open, or was when the editor was lost.
    """

    def __init__(
        self, editor: Editor, session_id: str, narrator: Narrator, cancel: asyncio.Event
    ) -> None:
        self._editor = editor
        self._session_id = session_id
        self._narrator = narrator
        self._cancel = cancel
        self.asked = False

    async def ask(self, request: PermissionRequest) -> PermissionDecision:
        """Show the card and wait for the answer, or for the end of the turn."""
        offered = _PLAN if request.tool == "plan" else tuple(_OPTIONS)
        self.asked = True
        try:
            chosen = await self._answer(request, offered)
        except EditorError as error:
            if error.gone and not self._cancel.is_set():
                return PermissionDecision("defer")
            self.asked = False
            return PermissionDecision("reject", str(error))
        self.asked = False
        if self._cancel.is_set():
            return PermissionDecision("reject", "the turn was cancelled")
        for outcome in offered:
            if chosen == outcome != "reject":
                self._narrator.allowed(request.call_id or request.code_id)
                return PermissionDecision(outcome)
        said = "the user said no" if chosen == "reject" else "nobody allowed it"
        return PermissionDecision("reject", said)

    async def _answer(self, request: PermissionRequest, offered: tuple[Outcome, ...]) -> str | None:
        """Return the id of the chosen option; None when there is none, or the turn was cancelled."""
        if request.tool == "plan":
            self._narrator.planned(request)
        card = self._narrator.permission_card(request)
        options = [
            schema.PermissionOption(
                option_id=each, name=_name(each, request.rule), kind=_OPTIONS[each][1]
            )
            for each in offered
        ]
        question = asyncio.create_task(self._editor.ask_permission(self._session_id, card, options))
        stop = asyncio.create_task(self._cancel.wait())
        try:
            await asyncio.wait({question, stop}, return_when=asyncio.FIRST_COMPLETED)
            return question.result() if question.done() else None
        finally:
            question.cancel()
            stop.cancel()


def _name(outcome: Outcome, rule: str) -> str:
    """What an option is called: one that goes beyond this call says how far."""
    name = _OPTIONS[outcome][0]
    if not rule or outcome in {"allow_once", "reject"}:
        return name
    shown = visible(rule).replace("\n", "⏎")
    cut = shown if len(shown) <= _MOST_OF_RULE else f"{shown[: _MOST_OF_RULE - 1]}…"
    return f"{name}: {cut}"
