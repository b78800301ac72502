"""MCP servers over stdio and http: their tools are typed functions, asked for like commands."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Tool

from punie_agent.acp.json_schema import identifier, parameters, result_type
from punie_agent.acp.mcp import _function
from punie_sandbox import ExternalFunctions

SERVER = """
import sys
from typing import Literal
from pydantic import BaseModel
from mcp.server import MCPServer

server = MCPServer("weather")

class Day(BaseModel):
    name: str
    degrees: float

class Forecast(BaseModel):
    city: str
    days: list[Day]

@server.tool()
def forecast(city: str, days: int = 2, unit: Literal["C", "F"] = "C") -> Forecast:
    "Tell the weather of the next days."
    return Forecast(city=city, days=[Day(name=f"day{n}", degrees=20.5 + n) for n in range(days)])

@server.tool()
def fail() -> str:
    raise ValueError("no forecast today")

if sys.argv[1:]:
    server.run("streamable-http", port=int(sys.argv[1]))
else:
    server.run("stdio")
"""
CODE = """```python
found = weather_forecast("Oslo", days=3)
print(found.city, [day.degrees for day in found.days])
```"""


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


def _stdio(path):
    return [{"name": "weather", "command": sys.executable, "args": [str(path)], "env": []}]


async def test_a_tool_of_a_server_is_a_typed_function_that_is_asked_for(bench, chosen, server):
    async with bench.agent(bench.shared(CODE, "Warm.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        assert "Oslo [20.5, 21.5, 22.5]" in str(agent.updates("tool_call_update")[-1])
        [asked] = agent.received("session/request_permission")
        assert asked["params"]["toolCall"]["kind"] == "execute"
        assert asked["params"]["toolCall"]["rawInput"] == {"city": "Oslo", "days": 3}


async def test_the_whole_of_a_call_is_on_its_card(bench, chosen, server):
    city = f"{'Oslo and ' * 20}\x1b[2Kelsewhere"
    code = f"```python\nweather_forecast({city!r}, days=3)\n```"
    async with bench.agent(bench.shared(code, "Never mind.")) as agent:
        agent.on["session/request_permission"] = chosen("reject")
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        [asked] = agent.received("session/request_permission")
        card = asked["params"]["toolCall"]
        left_out = len(repr(city)) - 60
        title = f"weather_forecast({repr(city)[:60]}… ({left_out} more characters), 3)"
        assert card["title"] == title
        [shown] = card["content"]
        assert shown["content"]["text"] == f"```\ncity: {city!r}\ndays: 3\n```"


async def test_wrong_arguments_are_found_before_anything_runs(bench, server):
    code = '```python\nweather_forecast("Oslo", unit="K")\n```'
    async with bench.agent(bench.shared(code, "Sorry.")) as agent:
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        assert agent.received("session/request_permission") == []
        assert "check_failed" in str(agent.updates("tool_call_update")[-1])


async def test_a_tools_own_error_is_an_exception_with_its_words(bench, chosen, server):
    code = (
        "```python\ntry:\n    weather_fail()\nexcept RuntimeError as e:\n    print('told:', e)\n```"
    )
    async with bench.agent(bench.shared(code, "Sorry.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        assert "told: Error executing tool fail" in str(agent.updates("tool_call_update")[-1])


async def test_a_tool_that_takes_the_name_of_ours_is_told_and_costs_nothing_else(
    bench, chosen, server
):
    server.write_text(server.read_text().replace("def fail(", "def status("))
    servers = [{**_stdio(server)[0], "name": name} for name in ("git", "weather", "weather")]
    code = "```python\nprint(weather_forecast('Oslo').city)\n```"
    async with bench.agent(bench.shared(code, "Warm.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent, mcpServers=servers)
        await bench.say(agent, session, "weather?")
        assert agent.said() == (
            "Two MCP servers offer weather_forecast; the first one's is used.\n"
            "Two MCP servers offer weather_status; the first one's is used.\n"
            "The MCP tool git_status cannot be offered: two functions are named git_status().\n\n"
            "Warm."
        )
        [asked] = agent.received("session/request_permission")
        assert asked["params"]["toolCall"]["title"] == "weather_forecast('Oslo')"
        assert "Oslo" in str(agent.updates("tool_call_update")[-1])


async def test_a_server_that_does_not_start_is_told_and_costs_nothing_else(bench):
    missing = [{"name": "gone", "command": "/no/such/server", "args": [], "env": []}]
    async with bench.agent(bench.shared("Hello.")) as agent:
        session = await bench.session(agent, mcpServers=missing)
        assert await bench.say(agent, session, "hi") == "end_turn"
        assert agent.said().startswith("The MCP server gone cannot be used: ")
        assert agent.said().endswith("Hello.")


async def test_a_server_that_never_answers_delays_neither_a_cancel_nor_the_end(bench):
    silent = [{"name": "silent", "command": "sleep", "args": ["600"], "env": []}]
    async with bench.agent(bench.shared("Hello.")) as agent:
        session = await bench.session(agent, mcpServers=silent)
        turn = agent.begin("session/prompt", bench.prompt(session, "hi"))
        agent.notify("session/cancel", {"sessionId": session})
        async with asyncio.timeout(30):  # a server has 60 seconds to start
            assert await turn == {"stopReason": "cancelled"}
            again = agent.begin("session/prompt", bench.prompt(session, "hi"))
            assert await agent.request("session/close", {"sessionId": session}) == {}
            assert await again == {"stopReason": "cancelled"}


async def test_a_model_trained_on_a_few_tools_keeps_those_and_that_is_said(bench, server):
    source = """
    from punie_agent.contract import Contract, standard_functions
    from punie_agent.testing import ScriptedModel
    from punie_tools import LocalHost, Toolbox

    class Trained(ScriptedModel):
        contract_data = Contract(
            standard_functions(Toolbox(LocalHost(".")), ["typecheck"]), style="brief"
        ).to_json()

    def make():
        return Trained([lambda seen: str("weather" in seen[0].content)])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        assert "not offered to it: weather_forecast, weather_fail." in agent.said()
        assert agent.said().endswith("False")


async def test_servers_end_with_their_session(bench, chosen, server):
    marked = server.read_text() + "\n"
    server.write_text(
        marked.replace(
            "import sys\n", "import os, sys\nopen('server.pid','w').write(str(os.getpid()))\n", 1
        )
    )
    async with bench.agent(bench.shared(CODE, "Warm.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent, mcpServers=_stdio(server))
        await bench.say(agent, session, "weather?")
        await agent.request("session/close", {"sessionId": session})
        pid = int((bench.project / "server.pid").read_text())
        with pytest.raises(ProcessLookupError):
            import os

            os.kill(pid, 0)


async def test_a_server_over_http_works_the_same(bench, chosen, server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, str(server), str(port)],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(120):
            while b"running on" not in await process.stderr.readline():
                pass
        http = [
            {
                "type": "http",
                "name": "weather",
                "url": f"http://127.0.0.1:{port}/mcp",
                "headers": [],
            }
        ]
        async with bench.agent(bench.shared(CODE, "Warm.")) as agent:
            agent.on["session/request_permission"] = chosen("allow_once")
            session = await bench.session(agent, mcpServers=http)
            await bench.say(agent, session, "weather?")
            assert "Oslo [20.5, 21.5, 22.5]" in str(agent.updates("tool_call_update")[-1])
    finally:
        process.terminate()
        await process.communicate()


_names = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=8)
_schemas = st.recursive(
    st.sampled_from(
        [
            {},
            True,
            {"type": "string"},
            {"type": "integer"},
            {"type": ["string", "null"]},
            {"enum": ["a", 1, None]},
            {"const": 2.5},
            {"$ref": "#/$defs/none"},
            {"$ref": "#"},
            {"type": "strange"},
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda s: {"type": "array", "items": s}),
        st.lists(inner, min_size=1, max_size=3).map(lambda s: {"anyOf": s}),
        st.dictionaries(_names, inner, max_size=3).map(
            lambda p: {"type": "object", "properties": p, "required": list(p)[:1]}
        ),
    ),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine, not of the strategy
@given(st.dictionaries(_names, _schemas, max_size=4), _schemas)
def test_any_schema_becomes_a_function_that_the_sandbox_can_show(properties, output):
    given_schema = {"type": "object", "properties": properties, "required": list(properties)[:2]}
    names = [python for python, *_ in parameters(given_schema, "tool")]
    if len(set(names)) < len(names):
        return  # two names that become one: the tool is told to be unusable
    output_schema = output if isinstance(output, dict) else None
    tool = Tool(name="tool", input_schema=given_schema, output_schema=output_schema)
    stubs = ExternalFunctions([_function("server_tool", cast("Any", None), tool)]).stubs()
    assert "def server_tool(" in stubs


@pytest.mark.parametrize("name", ["dict", "json", "copy", "schema", "model_dump", "model_fields"])
def test_a_field_called_like_what_every_model_has_is_read_under_another_name(name):
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"}, f"{name}_": {"type": "string"}},
        "required": [name, f"{name}_"],
    }
    read = result_type(schema, "tool").model_validate({name: 1, f"{name}_": "two"})
    assert (getattr(read, f"{name}_"), getattr(read, f"{name}__")) == (1, "two")
    assert read.model_dump(by_alias=True) == {name: 1, f"{name}_": "two"}


@given(st.text())
def test_any_name_becomes_an_identifier(text):
    name = identifier(text)
    assert name.isidentifier()
    assert not name.startswith("_")
