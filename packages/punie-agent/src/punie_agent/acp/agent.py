"""The agent's side of the protocol: one method for each request of a client.

Sessions are on disk; what is here is which of them this connection has open.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acp import schema
from acp.exceptions import RequestError

from punie_agent.acp.session import Session
from punie_agent.acp.store import SessionMissingError, SessionStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from punie_agent.acp.editor import Editor
    from punie_agent.acp.models import Models

__all__ = ["PunieAgent"]


class PunieAgent:
    """Punie, as one client connection sees it.

    Args:
        store: where sessions live.
        models: what can answer.
        afterwards: calls a function once the present request has been answered.
    """

    def __init__(
        self,
        store: SessionStore,
        models: Models,
        afterwards: Callable[[Callable[[], object]], None],
    ) -> None:
        self._store = store
        self._models = models
        self._afterwards = afterwards
        self._sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.editor: Editor

    # -- authentication ---------------------------------------------------------------------

    async def authenticate(
        self, request: schema.AuthenticateRequest
    ) -> schema.AuthenticateResponse:
        """Refuse: models here need no login, and none is offered."""
        reason = f"Punie offers no authentication method, so there is no {request.method_id!r}"
        raise RequestError.invalid_params({"reason": reason})

    async def logout(self, request: schema.LogoutRequest) -> schema.LogoutResponse:
        """Agree: there is nothing to forget."""
        del request
        return schema.LogoutResponse()

    # -- sessions ---------------------------------------------------------------------------

    async def new_session(self, request: schema.NewSessionRequest) -> schema.NewSessionResponse:
        """Start a session in a directory."""
        roots = _roots(request.cwd, request.additional_directories)
        stored = self._store.create(
            roots[0], additional_directories=roots[1:], model=self._models.default
        )
        session = self._open(Session(stored, self.editor, self._models, request.mcp_servers or ()))
        return schema.NewSessionResponse(
            session_id=session.id, modes=session.modes(), config_options=list(session.options())
        )

    async def load_session(self, request: schema.LoadSessionRequest) -> schema.LoadSessionResponse:
        """Open a stored session and show the client everything that happened in it."""
        session = await self._reopen(request)
        await session.replay()
        self._open(session)
        return schema.LoadSessionResponse(
            modes=session.modes(), config_options=list(session.options())
        )

    async def resume_session(
        self, request: schema.ResumeSessionRequest
    ) -> schema.ResumeSessionResponse:
        """Open a stored session for a client that still shows it."""
        session = await self._reopen(request)
        session.history.load()
        self._open(session)
        return schema.ResumeSessionResponse(
            modes=session.modes(), config_options=list(session.options())
        )

    async def fork_session(self, request: schema.ForkSessionRequest) -> schema.ForkSessionResponse:
        """Start a session that begins with another one's past."""
        roots = _roots(request.cwd, request.additional_directories)
        stored = self._store.fork(request.session_id, roots[0], roots[1:])
        session = Session(stored, self.editor, self._models, request.mcp_servers or ())
        session.history.load()
        self._open(session)
        return schema.ForkSessionResponse(
            session_id=session.id, modes=session.modes(), config_options=list(session.options())
        )

    async def list_sessions(
        self, request: schema.ListSessionsRequest
    ) -> schema.ListSessionsResponse:
        """List stored sessions, newest first."""
        page = await asyncio.to_thread(self._store.list, cwd=request.cwd, cursor=request.cursor)
        sessions = [
            schema.SessionInfo(
                session_id=header.id,
                cwd=header.cwd,
                additional_directories=list(header.additional_directories) or None,
                title=header.title or None,
                updated_at=header.updated,
            )
            for header in page.headers
        ]
        return schema.ListSessionsResponse(sessions=sessions, next_cursor=page.cursor)

    async def close_session(
        self, request: schema.CloseSessionRequest
    ) -> schema.CloseSessionResponse:
        """End what runs in a session and let go of it; it stays on disk."""
        session = self._session(request.session_id)
        del self._sessions[session.id]
        await session.close()
        return schema.CloseSessionResponse()

    async def delete_session(
        self, request: schema.DeleteSessionRequest
    ) -> schema.DeleteSessionResponse:
        """Remove a session for good; deleting one that is not there is no error."""
        session = self._sessions.pop(request.session_id, None)
        if session is not None:
            await session.close()
        with contextlib.suppress(SessionMissingError):
            self._store.delete(request.session_id)
        return schema.DeleteSessionResponse()

    # -- settings ---------------------------------------------------------------------------

    async def set_mode(
        self, request: schema.SetSessionModeRequest
    ) -> schema.SetSessionModeResponse:
        """Change a session's mode."""
        session = self._session(request.session_id)
        await session.set_mode(request.mode_id)
        self._later(session.announce_settings)
        return schema.SetSessionModeResponse()

    async def set_config_option(
        self,
        request: schema.SetSessionConfigOptionSelectRequest
        | schema.SetSessionConfigOptionBooleanRequest,
    ) -> schema.SetSessionConfigOptionResponse:
        """Change a session's mode or model; answers with all options."""
        session = self._session(request.session_id)
        value = request.value
        if request.config_id == "mode" and isinstance(value, str):
            await session.set_mode(value)
        elif request.config_id == "model" and isinstance(value, str):
            await session.set_model(value)
        else:
            reason = f"no option {request.config_id!r} with such a value; there are: model, mode"
            raise RequestError.invalid_params({"reason": reason})
        self._later(session.announce_settings)
        return schema.SetSessionConfigOptionResponse(config_options=list(session.options()))

    # -- turns ------------------------------------------------------------------------------

    def prompt(self, request: schema.PromptRequest) -> Awaitable[schema.PromptResponse]:
        """Run one turn. The turn is registered before this returns: a cancel can find it."""
        return self._session(request.session_id).prompt(request.prompt)

    async def cancel(self, request: schema.CancelNotification) -> None:
        """End the session's turn, and those that wait behind it."""
        session = self._sessions.get(request.session_id)
        if session is not None:
            session.cancel()

    async def shutdown(self) -> None:
        """Cancel everything, keep what was done, end every process; the client is gone."""
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.abandon() for session in sessions), return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._models.close()

    # -- inside -----------------------------------------------------------------------------

    def _session(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionMissingError(
                f"session {session_id!r:.80} is not open here; use session/load or session/resume first"
            )
        return session

    async def _reopen(
        self, request: schema.LoadSessionRequest | schema.ResumeSessionRequest
    ) -> Session:
        """Return the session as the client wants it: with these directories and these servers."""
        roots, servers = _roots(request.cwd, request.additional_directories), request.mcp_servers
        session = self._sessions.get(request.session_id)
        if session is not None and not session.works_with(roots, servers or ()):
            del self._sessions[session.id]
            await session.close()
            session = None
        if session is None:
            stored = self._store.open(request.session_id)
            session = Session(stored, self.editor, self._models, servers or ())
        header = session.stored.header
        if (header.cwd, *header.additional_directories) != tuple(roots):
            session.stored.change(cwd=roots[0], additional_directories=tuple(roots[1:]))
        return session

    def _open(self, session: Session) -> Session:
        self._sessions[session.id] = session
        self._later(session.announce)
        self._later(session.warm_up)
        return session

    def _later(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start `work` once the present request has been answered."""

        def start() -> None:
            task = asyncio.get_running_loop().create_task(work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._afterwards(start)


def _roots(cwd: str, additional: list[str] | None) -> list[str]:
    roots = [cwd, *(additional or [])]
    for root in roots:
        if not _is_directory(root):
            reason = f"{root!r:.300} is not an absolute path of a directory here"
            raise RequestError.invalid_params({"reason": reason})
    return roots


def _is_directory(root: str) -> bool:
    try:
        return Path(root).is_absolute() and Path(root).is_dir()
    except (OSError, ValueError):  # too long, or a NUL byte
        return False
