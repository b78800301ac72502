"""From a JSON-RPC method to a method of the agent, with the protocol's own models in between.

Every stable agent method of protocol version 1 is here, and `session/fork`. Each handler takes one
validated request model, so `_meta` is data like any other and can never stand in for a parameter.
A handler runs as its own task: `$/cancel_request` stops exactly one, and an answer always goes out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from acp import schema
from acp.exceptions import RequestError
from pydantic import BaseModel, ValidationError

from punie_agent.acp.handshake import request_id
from punie_agent.acp.store import SessionBusyError, SessionMissingError
from punie_agent.errors import AgentError

if TYPE_CHECKING:
    from punie_agent.acp.agent import PunieAgent

__all__ = ["Router", "dump"]

_CANCELLED = -32800
_INTERNAL = -32603
_NOT_FOUND = -32002
_INVALID_REQUEST = -32600
_LOG = logging.getLogger(__name__)


def dump(model: BaseModel) -> dict[str, Any]:
    """Return the wire form of a protocol model: aliases, and nothing that is not set."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _option_request(params: object) -> BaseModel:
    boolean = isinstance(params, dict) and params.get("type") == "boolean"
    model = (
        schema.SetSessionConfigOptionBooleanRequest
        if boolean
        else schema.SetSessionConfigOptionSelectRequest
    )
    return model.model_validate(params)


class Router:
    """The SDK connection's message handler.

    Raises (towards the connection, which answers with them):
        RequestError: unknown method (-32601), parameters that do not fit (-32602), a request the
            client cancelled (-32800), a missing session (-32002), or the agent's own failure
            (-32603) with its sentence as the message.
    """

    def __init__(self, agent: PunieAgent) -> None:
        self._requests: Mapping[
            str, tuple[Callable[[object], Any], Callable[[Any], Awaitable[Any]]]
        ]
        self._requests = {
            "authenticate": (schema.AuthenticateRequest.model_validate, agent.authenticate),
            "logout": (schema.LogoutRequest.model_validate, agent.logout),
            "session/new": (schema.NewSessionRequest.model_validate, agent.new_session),
            "session/load": (schema.LoadSessionRequest.model_validate, agent.load_session),
            "session/resume": (schema.ResumeSessionRequest.model_validate, agent.resume_session),
            "session/fork": (schema.ForkSessionRequest.model_validate, agent.fork_session),
            "session/list": (schema.ListSessionsRequest.model_validate, agent.list_sessions),
            "session/close": (schema.CloseSessionRequest.model_validate, agent.close_session),
            "session/delete": (schema.DeleteSessionRequest.model_validate, agent.delete_session),
            "session/prompt": (schema.PromptRequest.model_validate, agent.prompt),
            "session/set_mode": (schema.SetSessionModeRequest.model_validate, agent.set_mode),
            "session/set_config_option": (_option_request, agent.set_config_option),
        }
        self._agent = agent
        self._running: dict[object, asyncio.Task[Any]] = {}

    async def __call__(self, method: str, params: object, is_notification: bool) -> Any:
        """Handle one message; the result is its wire form, None for a notification."""
        if is_notification:
            await self._notified(method, params)
            return None
        found = self._requests.get(method)
        if found is None:
            raise RequestError.method_not_found(method)
        validate, handler = found
        try:
            request = validate(params if params is not None else {})
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestError.invalid_params({"errors": errors}) from None
        return dump(await self._answer(handler, request))

    async def _answer(
        self, handler: Callable[[Any], Awaitable[BaseModel]], request: object
    ) -> BaseModel:
        """Run a handler; whatever it raises becomes the error that a client can act on."""
        try:
            return await self._run(handler(request))
        except RequestError:
            raise
        except SessionMissingError as error:
            raise RequestError(_NOT_FOUND, str(error)) from error
        except SessionBusyError as error:
            raise RequestError(_INVALID_REQUEST, str(error)) from error
        except Exception as error:
            if not isinstance(error, AgentError):
                _LOG.exception("the request failed")
            message = str(error) or type(error).__name__
            raise RequestError(_INTERNAL, message, {"kind": type(error).__name__}) from error

    async def _run(self, work: Awaitable[BaseModel]) -> BaseModel:
        """Run a handler's work as a task of its own, which `$/cancel_request` can stop."""
        task = asyncio.ensure_future(work)
        key = request_id.get()
        self._running[key] = task
        try:
            await asyncio.wait({task})
        finally:
            self._running.pop(key, None)
            task.cancel()
        if task.cancelled():
            raise RequestError(_CANCELLED, "Request cancelled")
        return task.result()

    async def _notified(self, method: str, params: object) -> None:
        if method == "session/cancel":
            await self._agent.cancel(schema.CancelNotification.model_validate(params))
        elif method == "$/cancel_request":
            wanted = schema.CancelRequestNotification.model_validate(params)
            if (task := self._running.get(wanted.request_id)) is not None:
                task.cancel()
