"""The wire at its worst: each line here killed, hung or fooled a real ACP agent.

All run against the real process over stdio. Frames that are wrong on purpose are sent as bytes, so that
the verdict over the conversation holds for everything else.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest
import pytest_asyncio

from punie_agent.acp.testing import AgentProcess, WireError


async def _answer(agent, line: bytes):
    """Send bytes, then a good request; return what came back between.

    Ids in the bytes are far from those of the helper's own requests, which it counts from 1.
    """
    before = len(agent.frames)
    agent.send_bytes(line)
    await agent.request("session/list", {})
    return [frame for side, frame in agent.frames[before:] if side == "agent"][:-1]


@pytest.mark.parametrize(
    ("line", "code", "request_id"),
    [
        (b"[]\n", -32600, None),
        (b'"x"\n', -32600, None),
        (b"42\n", -32600, None),
        (b"null\n", -32600, None),
        (b'[{"jsonrpc":"2.0","id":1,"method":"session/list"}]\n', -32600, None),
        (b"{]\n", -32700, None),
        (b"\xff\xfe{}\n", -32700, None),
        (b"[" * 100_000 + b"\n", -32700, None),
        (b'{"id":7000,"method":"session/list"}\n', -32600, 7000),
        (b'{"jsonrpc":"1.0","id":7000,"method":"session/list"}\n', -32600, 7000),
        (b'{"jsonrpc":"2.0","id":[7],"method":"session/list"}\n', -32600, None),
        (b'{"jsonrpc":"2.0","id":7.5,"method":"session/list"}\n', -32600, None),
        (b'{"jsonrpc":"2.0","id":7000,"method":["session/list"]}\n', -32600, 7000),
        (b'{"jsonrpc":"2.0","id":7000,"method":"session/list","params":"x"}\n', -32600, 7000),
        (b'{"jsonrpc":"2.0","id":"s","method":"session/list","params":[1]}\n', -32602, "s"),
        (b'{"jsonrpc":"2.0","id":7000,"method":"no/such/method"}\n', -32601, 7000),
        (b'{"jsonrpc":"2.0","id":7000,"method":"_vendor/extension"}\n', -32601, 7000),
        (b'{"jsonrpc":"2.0","id":7000,"method":"nes/start","params":{}}\n', -32601, 7000),
        (b'{"jsonrpc":"2.0","id":7000,"method":"session/prompt","params":{}}\n', -32602, 7000),
        (b'{"jsonrpc":"2.0","id":7000,"method":"initialize","params":{}}\n', -32602, 7000),
        (b'{"jsonrpc":"2.0","id":7000}\n', -32600, 7000),
        (b"{}\n", -32600, None),
    ],
)
async def test_a_line_that_is_no_proper_message_gets_the_right_error(
    shared, line, code, request_id
):
    [answer] = await _answer(shared, line)
    assert (answer["id"], answer["error"]["code"]) == (request_id, code)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"   \r\n",
        b'{"jsonrpc":"2.0","method":"no/such/notification"}\n',
        b'{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"none"}}\n',
        b'{"jsonrpc":"2.0","method":"session/cancel","params":{"wrong":1}}\n',
        b'{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":999}}\n',
        b'{"jsonrpc":"2.0","id":999,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":[1],"result":{}}\n',
        b'{"jsonrpc":"2.0","id":0,"error":"text"}\n',
        b'{"jsonrpc":"2.0","id":0,"error":{"code":"x"}}\n',
    ],
)
async def test_what_needs_no_answer_gets_none_and_breaks_nothing(shared, line):
    assert await _answer(shared, line) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torture")
    command = [sys.executable, "-m", "punie_agent.acp"]
    async with AgentProcess.start(
        command, env={**os.environ, "PUNIE_DATA_DIR": str(folder)}
    ) as agent:
        await agent.initialize()
        yield agent
    assert agent.noise == []
    assert agent.process.returncode == 0


@pytest.mark.parametrize("version", [0, 1, 2, 65535])
async def test_the_answer_to_any_version_is_the_one_we_speak(shared, version):
    answer = await shared.request("initialize", {"protocolVersion": version})
    assert answer["protocolVersion"] == 1
    assert answer["agentInfo"]["name"] == "punie"


async def test_malformed_capabilities_count_as_none(shared):
    params = {"protocolVersion": 1, "clientCapabilities": {"fs": 3, "terminal": "yes"}}
    assert (await shared.request("initialize", params))["protocolVersion"] == 1


async def test_meta_cannot_stand_in_for_a_parameter(shared, tmp_path):
    made = await shared.request("session/new", {"cwd": str(tmp_path), "mcpServers": []})
    other = await shared.request("session/new", {"cwd": str(tmp_path), "mcpServers": []})
    params = {
        "sessionId": made["sessionId"],
        "prompt": [{"type": "text", "text": "/help"}],
        "_meta": {"session_id": other["sessionId"], "sessionId": other["sessionId"], "prompt": []},
    }
    before = len(shared.frames)
    await shared.request("session/prompt", params)
    sessions = {
        frame["params"]["sessionId"]
        for side, frame in shared.frames[before:]
        if side == "agent" and frame.get("method") == "session/update"
        if frame["params"]["update"]["sessionUpdate"] == "agent_message_chunk"
    }
    assert sessions == {made["sessionId"]}


@pytest.mark.parametrize("cwd", ["relative", "/no/such/directory", "", "/tmp/\0", "/" + "x" * 5000])
async def test_a_working_directory_that_is_none_is_refused(shared, cwd):
    with pytest.raises(WireError, match="not an absolute path") as caught:
        await shared.request("session/new", {"cwd": cwd, "mcpServers": []})
    assert caught.value.code == -32602


@pytest.mark.parametrize("name", ["../../etc", "x/../y", "", ".", "none", "\0", "a" * 300])
async def test_a_session_name_cannot_lead_elsewhere(shared, tmp_path, name):
    with pytest.raises(WireError, match="no session") as caught:
        await shared.request(
            "session/load", {"sessionId": name, "cwd": str(tmp_path), "mcpServers": []}
        )
    assert caught.value.code == -32002


async def test_logout_is_routed_and_authenticate_says_there_is_nothing_to_do(shared):
    assert await shared.request("logout", {}) == {}
    with pytest.raises(WireError) as caught:
        await shared.request("authenticate", {"methodId": "x"})
    assert caught.value.code == -32602


async def test_unknown_modes_options_and_models_are_refused_with_what_there_is(shared, tmp_path):
    session = (await shared.request("session/new", {"cwd": str(tmp_path), "mcpServers": []}))[
        "sessionId"
    ]
    with pytest.raises(WireError, match="accept-edits"):
        await shared.request("session/set_mode", {"sessionId": session, "modeId": "yolo"})
    for option, value in [("model", "gpt-99"), ("mode", "yolo"), ("colour", "red")]:
        with pytest.raises(WireError) as caught:
            await shared.request(
                "session/set_config_option",
                {"sessionId": session, "configId": option, "value": value},
            )
        assert caught.value.code == -32602
    with pytest.raises(WireError):
        await shared.request(
            "session/set_config_option",
            {"sessionId": session, "configId": "mode", "type": "boolean", "value": True},
        )


async def test_a_link_that_is_no_address_is_shown_to_the_model_as_it_came(bench):
    async with bench.agent(bench.shared("Seen.")) as agent:
        session = await bench.session(agent)
        link = {"type": "resource_link", "name": "x", "uri": "http://[x"}
        answer = await agent.request("session/prompt", {"sessionId": session, "prompt": [link]})
        assert answer == {"stopReason": "end_turn"}


async def test_audio_which_was_not_offered_is_refused(shared, tmp_path):
    session = (await shared.request("session/new", {"cwd": str(tmp_path), "mcpServers": []}))[
        "sessionId"
    ]
    blocks = [{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}]
    with pytest.raises(WireError, match="Invalid params"):
        await shared.request("session/prompt", {"sessionId": session, "prompt": blocks})


async def test_text_that_utf8_cannot_store_is_made_storable(shared, tmp_path):
    session = (await shared.request("session/new", {"cwd": str(tmp_path), "mcpServers": []}))[
        "sessionId"
    ]
    line = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": "lone",
            "method": "session/prompt",
            "params": {"sessionId": session, "prompt": [{"type": "text", "text": "a\ud800b"}]},
        }
    )
    before = len(shared.frames)
    shared.send_bytes(line.encode() + b"\n")
    await shared.until(lambda a: any(f.get("id") == "lone" for _, f in a.frames[before:]))
    answer = next(f for _, f in shared.frames[before:] if f.get("id") == "lone")
    assert answer["result"] == {"stopReason": "end_turn"}


async def test_a_line_in_a_thousand_pieces_is_one_message(shared):
    line = json.dumps({"jsonrpc": "2.0", "id": "slow", "method": "session/list"}).encode() + b"\n"
    before = len(shared.frames)
    for byte in line:
        shared.send_bytes(bytes([byte]))
        await shared.process.stdin.drain()
    await shared.until(lambda a: any(f.get("id") == "slow" for _, f in a.frames[before:]))


async def test_an_endless_line_is_refused_without_being_kept(shared):
    before = len(shared.frames)
    shared.send_bytes(b'{"jsonrpc":"2.0","id":"long","method":"x","params":["')
    for _ in range(70):
        shared.send_bytes(b"x" * 1024 * 1024)
        await shared.process.stdin.drain()
    shared.send_bytes(b'"]}\n')
    await shared.until(lambda a: any(f.get("id") == "long" for _, f in a.frames[before:]))
    answer = next(f for _, f in shared.frames[before:] if f.get("id") == "long")
    assert answer["error"]["code"] == -32600
    assert "longer than" in answer["error"]["data"]["reason"]


async def test_prints_of_libraries_and_children_never_reach_the_wire(bench):
    source = """
    import os, subprocess, sys
    from punie_agent.testing import ScriptedModel
    def noisy(_):
        print("a stray print")
        sys.__stdout__.write("another")
        os.write(1, b"raw\\n")
        subprocess.run(["sh", "-c", "echo child; cat"])
        return "Quiet."
    def make():
        print("at start")
        return ScriptedModel([noisy])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        await bench.say(agent, session, "hello")
        assert agent.said() == "Quiet."
    for text in (b"a stray print", b"another", b"raw", b"child", b"at start"):
        assert text in agent.stderr


async def test_it_exits_when_stdin_closes(bench):
    async with bench.agent() as agent:
        agent.process.stdin.close()
        assert await agent.wait_exit() == 0


async def test_it_exits_when_stdout_closes_although_stdin_stays_open(bench):
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "punie_agent.acp"],
        stdin=asyncio.subprocess.PIPE,
        stdout=write,
        stderr=asyncio.subprocess.DEVNULL,
        env=bench.env,
    )
    os.close(write)
    assert process.stdin is not None
    process.stdin.write(
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'
    )
    assert b'"protocolVersion":1' in await asyncio.to_thread(os.read, read, 65536)
    os.close(read)
    assert await asyncio.wait_for(process.wait(), 120) == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
async def test_a_signal_ends_it_cleanly_and_saves_the_turn_so_far(bench, number, code):
    async with bench.agent(bench.scripted("Late.", latency=60.0), check=False) as agent:
        session = await bench.session(agent)
        agent.begin("session/prompt", bench.prompt(session, "remember this"))
        await agent.until(lambda a: a.updates("session_info_update"))
        agent.process.send_signal(number)
        assert await agent.wait_exit() == code
    assert "remember this" in (bench.data / "sessions" / session / "journal.jsonl").read_text()


async def test_everything_at_once_before_the_handshake_is_answered(bench):
    async with bench.agent(initialize=False) as agent:
        listed = agent.begin("session/list", {})
        made = agent.begin("session/new", {"cwd": str(bench.project), "mcpServers": []})
        first = agent.begin("initialize", {"protocolVersion": 1})
        assert (await first)["protocolVersion"] == 1
        assert "sessions" in await listed
        assert "sessionId" in await made
