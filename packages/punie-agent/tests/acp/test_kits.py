"""Variables of the code live as long as the session, whatever its model turns out to be called."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from serving import chat_server, delta


async def test_variables_outlive_a_turn_with_a_model_that_its_server_names(bench):
    async with chat_server() as server:
        server.script = [
            [delta("```python\nx = 41\nprint(x)\n```", "stop")],
            [delta("Kept.", "stop")],
            [delta("```python\nprint('It is', x + 1)\n```", "stop")],
            [delta("Told.", "stop")],
        ]
        program = bench.project.parent / "serve.py"
        program.write_text(f"from punie_agent.acp import serve\nserve(model={server.url!r})\n")
        async with bench.agent([sys.executable, str(program)]) as agent:
            session = await bench.session(agent)
            await bench.say(agent, session, "Keep 41")
            await bench.say(agent, session, "One more?")
            assert agent.said() == "Kept.Told."
            assert "It is 42" in str(agent.updates("tool_call_update"))
