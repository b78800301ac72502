"""MCP servers of a session: their tools become typed functions that the model's code may call.

A client hands over the servers with `session/new`. Each is started in a task of its own and its tools
are named `server_tool`. Every call passes the permissions as an execution: what a server says of itself
("read-only") is not proof. A server that does not start, or dies, costs its own tools and nothing else.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from acp import schema
from pydantic import ValidationError

from punie_agent.acp.json_schema import identifier, parameters, result_type
from punie_sandbox import ExternalFunctions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp import Client, Tool
    from mcp.types import CallToolResult

__all__ = ["Function", "McpServers", "ServerConfig"]

_LOG = logging.getLogger(__name__)
_START_SECONDS = 60.0
_CALL_SECONDS = 600.0

ServerConfig = (
    schema.HttpMcpServer | schema.SseMcpServer | schema.AcpMcpServer | schema.McpServerStdio
)
Function = Callable[..., Awaitable[Any]]


class McpServers:
    """The MCP servers of one session.

    Attributes:
        functions: their tools by name, in the order of the servers.
        problems: one sentence for each server or tool that cannot be used.
    """

    def __init__(self, configs: Sequence[ServerConfig], cwd: str) -> None:
        self._configs = list(configs)
        self._cwd = cwd
        self._stop = asyncio.Event()
        self._started: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.functions: dict[str, Function] = {}
        self.problems: list[str] = []

    async def start(self) -> None:
        """Start the servers, all at once, and read their tools."""
        if not self._configs or self._tasks:
            return
        await asyncio.to_thread(importlib.import_module, "mcp")
        self._started = [_Server(config, self._cwd, self._stop) for config in self._configs]
        self._tasks = [asyncio.create_task(server.run()) for server in self._started]
        for server in self._started:
            await server.ready.wait()
            self.problems += server.problems
            for name, function in server.functions.items():
                if name in self.functions:
                    self.problems.append(f"Two MCP servers offer {name}; the first one's is used.")
                self.functions.setdefault(name, function)

    async def close(self) -> None:
        """Stop the servers, those that never answered too, and wait until their processes are gone."""
        self._stop.set()
        for server, task in zip(self._started, self._tasks, strict=True):
            if not server.ready.is_set():
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Server:
    def __init__(self, config: ServerConfig, cwd: str, stop: asyncio.Event) -> None:
        self._config = config
        self._cwd = cwd
        self._stop = stop
        self.ready = asyncio.Event()
        self.functions: dict[str, Function] = {}
        self.problems: list[str] = []

    async def run(self) -> None:
        """Keep the server connected until it is to stop: one task, as its client demands."""
        name = self._config.name
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(_START_SECONDS):
                    client = await self._connect(stack)
                    listed = await client.list_tools()
                for tool in listed.tools:
                    self._offer(client, tool)
                self.ready.set()
                await self._stop.wait()
        except TimeoutError:
            self.problems.append(f"The MCP server {name} did not start in {_START_SECONDS:.0f} s.")
        except Exception as error:  # noqa: BLE001 - whatever a server does, the session goes on
            _LOG.warning("MCP server %s: %r", name, error)
            self.problems.append(f"The MCP server {name} cannot be used: {_cause(error)}.")
        finally:
            self.ready.set()

    async def _connect(self, stack: AsyncExitStack) -> Client:
        import mcp

        match self._config:
            case schema.McpServerStdio():
                target: Any = mcp.StdioServerParameters(
                    command=self._config.command,
                    args=self._config.args,
                    env={each.name: each.value for each in self._config.env},
                    cwd=self._cwd,
                )
            case schema.HttpMcpServer():
                target = await _http(stack, self._config)
            case _:
                raise ConnectionError("servers are reached over stdio or http only")
        return await stack.enter_async_context(
            mcp.Client(target, read_timeout_seconds=_CALL_SECONDS)
        )

    def _offer(self, client: Client, tool: Tool) -> None:
        name = identifier(f"{self._config.name}_{tool.name}")
        try:
            function = _function(name, client, tool)
            ExternalFunctions(
                [function]
            )  # one tool the sandbox cannot show must not cost the others
            self.functions[name] = function
        except Exception as error:  # noqa: BLE001 - a schema of any shape may come
            self.problems.append(f"The tool {name} cannot be offered: {error}.")


async def _http(stack: AsyncExitStack, config: schema.HttpMcpServer) -> Any:
    from httpx2 import AsyncClient
    from mcp.client.streamable_http import streamable_http_client

    if not config.headers:
        return config.url
    headers = {each.name: each.value for each in config.headers}
    client = await stack.enter_async_context(AsyncClient(headers=headers, timeout=_CALL_SECONDS))
    return streamable_http_client(config.url, http_client=client)


def _function(name: str, client: Client, tool: Tool) -> Function:
    """Build the function: a real signature from the tool's schema, one call to the server."""
    given = parameters(tool.input_schema, name)
    wire = {python: original for python, original, _, _ in given}
    output = None if tool.output_schema is None else tool.output_schema
    wrapped = output is not None and bool(output.get("x-fastmcp-wrap-result"))
    returns: Any = str if output is None else result_type(output, name)
    if wrapped:
        returns = returns.model_fields["result"].annotation
    signature = inspect.Signature(
        [
            inspect.Parameter(
                python,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if required else None,
                annotation=kind if required or kind is Any else kind | None,
            )
            for python, _, kind, required in given
        ],
        return_annotation=returns,
    )

    async def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs).arguments
        arguments = {wire[key]: value for key, value in bound.items() if value is not None}
        return _value(await client.call_tool(tool.name, arguments), returns, wrapped=wrapped)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (tool.description or tool.title or "").strip() or f"Call {tool.name}."
    call.__signature__ = signature  # ty: ignore[missing-attribute]
    call.__annotations__ = {
        **{key: each.annotation for key, each in signature.parameters.items()},
        "return": returns,
    }
    return call


def _value(result: CallToolResult, returns: Any, *, wrapped: bool) -> Any:
    text = "\n".join(_shown(block) for block in result.content)
    if result.is_error:
        raise RuntimeError(text or "the tool failed without saying why")
    if returns is str and not wrapped:
        return text
    data = result.structured_content
    if wrapped and isinstance(data, dict):
        data = data.get("result")
    if not hasattr(returns, "model_validate"):
        return data
    try:
        return returns.model_validate(data)
    except ValidationError as error:
        raise RuntimeError(f"the tool's result breaks its own schema: {error}") from error


def _shown(block: Any) -> str:
    text = getattr(block, "text", None)
    if isinstance(text, str):
        return text
    return f"[{getattr(block, 'mime_type', None) or getattr(block, 'type', 'content')}]"


def _cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__).rstrip(".")
