"""`punie serve` with the protocol SDK's own WebSocket client: the same agent, for whoever has the token."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest
from acp import connect_to_agent
from acp.schema import TextContentBlock
from acp.ws import create_websocket_stream
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from punie_agent.acp.websocket import serve_websocket
from punie_agent.errors import ConfigError

if TYPE_CHECKING:
    from acp import Client


@asynccontextmanager
async def _server(bench):
    code = (
        "from punie_agent.acp.websocket import serve_websocket; raise SystemExit(serve_websocket())"
    )
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", code],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=bench.env,
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        token = (await process.stdout.readline()).decode().strip()
        yield url, token
    finally:
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 120) == 143


class _Client:
    def __init__(self):
        self.said = ""
        self.asked = []

    def on_connect(self, conn):
        pass

    async def session_update(self, session_id, update, **_):
        if update.session_update == "agent_message_chunk":
            self.said += update.content.text

    async def request_permission(self, session_id, tool_call, options, **_):
        self.asked.append(tool_call.title)
        return {"outcome": {"outcome": "selected", "optionId": "reject"}}


async def test_the_sdks_client_talks_to_it_and_a_rejection_is_a_rejection(bench):
    async with _server(bench) as (url, token):
        stream = await create_websocket_stream(url, headers={"Authorization": f"Bearer {token}"})
        client = _Client()
        agent = connect_to_agent(cast("Client", client), stream)
        answer = await agent.initialize(protocol_version=1)
        assert answer.agent_info is not None
        assert answer.agent_info.name == "punie"
        made = await agent.new_session(cwd=str(bench.project), mcp_servers=[])
        block = TextContentBlock(type="text", text="Write hello to a.txt")
        done = await agent.prompt(session_id=made.session_id, prompt=[block])
        assert done.stop_reason == "end_turn"
        assert client.asked == ["Write a.txt"]
        assert list(bench.project.iterdir()) == []
        await agent.close()


async def test_two_clients_at_once_have_sessions_of_their_own(bench):
    async with _server(bench) as (url, token):
        agents = [
            connect_to_agent(
                cast("Client", _Client()), await create_websocket_stream(f"{url}?token={token}")
            )
            for _ in range(2)
        ]
        made = []
        for agent in agents:
            await agent.initialize(protocol_version=1)
            made.append(
                (await agent.new_session(cwd=str(bench.project), mcp_servers=[])).session_id
            )
        assert len(set(made)) == 2
        for agent in agents:
            await agent.close()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "x"}])
async def test_without_the_token_nobody_enters(bench, headers):
    async with _server(bench) as (url, _):
        with pytest.raises(InvalidStatus, match="401"):
            await connect(url, additional_headers=headers)


async def test_frames_that_are_no_messages_are_refused_and_the_connection_lives(bench):
    async with _server(bench) as (url, token), connect(f"{url}?token={token}") as socket:
        for frame in ("[]", "{", b"\xff"):
            await socket.send(frame)
            assert '"error"' in await socket.recv(decode=True)
        await socket.send(
            '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}'
        )
        assert '"punie"' in await socket.recv(decode=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.org"])
def test_it_listens_on_this_machine_only(host):
    with pytest.raises(ConfigError, match="this machine only"):
        serve_websocket(host=host)
