"""The editor as the agent sees it: what may be asked of it, and the stream of updates it is told.

Updates may come from synchronous code and reach the client in the order in which they are told,
also between requests. `UpdateStream` is closed at the end of a turn, after which nothing goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from acp import schema
from acp.exceptions import RequestError
from pydantic import BaseModel, ValidationError

from punie_agent.acp.router import dump

if TYPE_CHECKING:
    from collections.abc import Callable

    from acp.connection import Connection

    from punie_agent.acp.handshake import ClientFeatures, Handshake

__all__ = ["Editor", "EditorError", "UpdateStream"]

_Model = TypeVar("_Model", bound=BaseModel)


class EditorError(OSError):
    """The editor refused or could not do what it was asked; the message says what.

    Attributes:
        code: the JSON-RPC error code it answered with, 0 where there was no such answer.
        gone: whether the connection is lost.
    """

    def __init__(self, message: str, code: int = 0, *, gone: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.gone = gone


class Editor:
    """Typed calls to the client at the other end of the connection."""

    def __init__(self, connection: Connection, handshake: Handshake) -> None:
        self._connection = connection
        self._handshake = handshake

    @property
    def features(self) -> ClientFeatures:
        """What the client offered."""
        return self._handshake.features

    def tell(self, session_id: str, update: dict[str, Any]) -> None:
        """Send one `session/update` without waiting; in order with everything else that is sent."""
        self._handshake.post(_notification(session_id, update))

    async def show(self, session_id: str, update: dict[str, Any]) -> None:
        """Send one `session/update` and wait until it is written; silent when the client is gone."""
        try:
            await self._handshake.send(_notification(session_id, update))
        except ConnectionError:
            return

    async def ask_permission(
        self,
        session_id: str,
        call: schema.ToolCallUpdate,
        options: list[schema.PermissionOption],
    ) -> str | None:
        """Return the id of the option that was chosen, None when the client cancelled.

        Raises:
            EditorError: It could not ask.
        """
        request = schema.RequestPermissionRequest(
            session_id=session_id, tool_call=call, options=options
        )
        answer = await self._call(
            "session/request_permission", request, schema.RequestPermissionResponse
        )
        outcome = answer.outcome
        return outcome.option_id if isinstance(outcome, schema.AllowedOutcome) else None

    async def read_file(self, session_id: str, path: str) -> str:
        """Return a file's text as the editor has it, unsaved changes included.

        Raises:
            EditorError: The editor could not.
        """
        request = schema.ReadTextFileRequest(session_id=session_id, path=path)
        return (await self._call("fs/read_text_file", request, schema.ReadTextFileResponse)).content

    async def write_file(self, session_id: str, path: str, text: str) -> None:
        """Replace a file's text through the editor.

        Raises:
            EditorError: The editor could not.
        """
        request = schema.WriteTextFileRequest(session_id=session_id, path=path, content=text)
        await self._call("fs/write_text_file", request, schema.WriteTextFileResponse)

    async def create_terminal(self, request: schema.CreateTerminalRequest) -> str:
        """Start a command in the editor's terminal and return the terminal's id.

        Raises:
            EditorError: The editor could not.
        """
        return (
            await self._call("terminal/create", request, schema.CreateTerminalResponse)
        ).terminal_id

    async def terminal_output(
        self, session_id: str, terminal: str
    ) -> schema.TerminalOutputResponse:
        """Return what the terminal shows so far."""
        request = schema.TerminalOutputRequest(session_id=session_id, terminal_id=terminal)
        return await self._call("terminal/output", request, schema.TerminalOutputResponse)

    async def wait_for_exit(
        self, session_id: str, terminal: str
    ) -> schema.WaitForTerminalExitResponse:
        """Wait for the terminal's command to end."""
        request = schema.WaitForTerminalExitRequest(session_id=session_id, terminal_id=terminal)
        return await self._call(
            "terminal/wait_for_exit", request, schema.WaitForTerminalExitResponse
        )

    async def kill_terminal(self, session_id: str, terminal: str) -> None:
        """End the terminal's command; its output stays."""
        request = schema.KillTerminalRequest(session_id=session_id, terminal_id=terminal)
        await self._call("terminal/kill", request, schema.KillTerminalResponse)

    async def release_terminal(self, session_id: str, terminal: str) -> None:
        """Let go of the terminal; a command still running in it is ended."""
        request = schema.ReleaseTerminalRequest(session_id=session_id, terminal_id=terminal)
        await self._call("terminal/release", request, schema.ReleaseTerminalResponse)

    async def _call(self, method: str, params: BaseModel, answer: type[_Model]) -> _Model:
        try:
            result = await self._connection.send_request(method, dump(params))
            return answer.model_validate(result if result is not None else {})
        except RequestError as error:
            message = f"the editor refused {method}: {error}{_details(error.data)}"
            raise EditorError(message, error.code) from error
        except ValidationError as error:
            raise EditorError(f"the editor's answer to {method} makes no sense") from error
        except ConnectionError as error:
            raise EditorError(f"the editor is gone ({method})", gone=True) from error


class UpdateStream:
    """The updates of one turn: told to the editor and kept for replay. Closed, it drops what comes."""

    def __init__(
        self, editor: Editor, session_id: str, record: Callable[[dict[str, Any]], None]
    ) -> None:
        self._editor = editor
        self._session_id = session_id
        self._record = record
        self._open = True

    def tell(self, update: BaseModel, *, replay: BaseModel | None = None) -> None:
        """Send `update`; `replay` is what a later load shows instead, where that differs."""
        if self._open:
            wire = dump(update)
            self._editor.tell(self._session_id, wire)
            self._record(wire if replay is None else dump(replay))

    def close(self) -> None:
        """End the turn: whatever is told afterwards is dropped."""
        self._open = False


def _details(data: object) -> str:
    """What an error says beside its message, where that is a sentence."""
    found = data.get("details", data.get("reason")) if isinstance(data, dict) else data
    return f" ({found:.300})" if isinstance(found, str) and found else ""


def _notification(session_id: str, update: dict[str, Any]) -> dict[str, Any]:
    params = {"sessionId": session_id, "update": update}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}
