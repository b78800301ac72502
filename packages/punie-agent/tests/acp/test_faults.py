"""Faults of everything around the agent: client, model server, sandbox worker, disk, files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from punie_agent.acp.testing import WireError

CODE = "```python\nprint(read_file('a.txt'))\n```"


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child, *_children(child)}
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_a_killed_sandbox_worker_fails_one_call_and_the_next_turn_works(bench):
    (bench.project / "a.txt").write_text("text of a")
    source = """
    import os, signal
    from pathlib import Path
    from punie_agent.testing import ScriptedModel

    def killing(_):
        for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in task.read_text().split():
                os.kill(int(child), signal.SIGKILL)
        return "```python\\nprint(read_file('a.txt'))\\n```"

    def make():
        return ScriptedModel([killing, "Odd.", "```python\\nprint(read_file('a.txt'))\\n```", "Fine."])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "one") == "end_turn"
        assert await bench.say(agent, session, "two") == "end_turn"
        assert agent.said().endswith("Fine.")
        assert "text of a" in str(agent.updates("tool_call_update")[-1])


async def test_a_client_that_is_killed_leaves_no_process_and_the_turn_so_far(bench, chosen):
    (bench.project / "job.sh").write_text("sleep 600 &\necho $! > pid\ntouch started\nwait\n")
    command = bench.scripted("```python\nrun_command('sh job.sh')\n```")
    driver = f"""
import asyncio, sys
from pathlib import Path
from punie_agent.acp.testing import AgentProcess

async def main():
    async with AgentProcess.start({command!r}) as agent:
        agent.on["session/request_permission"] = lambda _: {{
            "outcome": {{"outcome": "selected", "optionId": "allow_once"}}
        }}
        await agent.initialize()
        made = await agent.request("session/new", {{"cwd": {str(bench.project)!r}, "mcpServers": []}})
        Path("ids").write_text(f"{{agent.process.pid}} {{made['sessionId']}}")
        blocks = [{{"type": "text", "text": "run"}}]
        await agent.request("session/prompt", {{"sessionId": made["sessionId"], "prompt": blocks}})

asyncio.run(main())
"""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", driver, cwd=bench.project, env=bench.env
    )
    async with asyncio.timeout(120):
        while not (bench.project / "started").exists():
            await asyncio.to_thread(os.stat, bench.project)
        client.kill()
        await client.wait()
        agent, session = (bench.project / "ids").read_text().split()
        job = int((bench.project / "pid").read_text())
        while _alive(int(agent)) or _alive(job):
            await asyncio.to_thread(os.stat, bench.project)
    journal = (bench.data / "sessions" / session / "journal.jsonl").read_text()
    assert '"Run sh job.sh"' in journal


class _DiesMidStream(BaseHTTPRequestHandler):
    def do_GET(self):
        self._json({"object": "list", "data": [{"id": "m", "object": "model"}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        choice = {"index": 0, "delta": {"role": "assistant", "content": "Half an ans"}}
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        event = f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()
        self.close_connection = True  # in the middle of the body, as a killed process does

    def _json(self, data):
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # noqa: A002 - the name of the base class
        pass


@contextmanager
def _server(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_a_model_server_that_is_gone_is_one_sentence_with_its_address(bench):
    with _server(_DiesMidStream) as url:
        pass
    script = f"from punie_agent.acp import serve; serve(model={url!r})"
    async with bench.agent([sys.executable, "-c", script]) as agent:
        session = await bench.session(agent)
        with pytest.raises(WireError, match=url) as caught:
            await bench.say(agent, session, "hello")
        assert "\n" not in caught.value.message
        assert await bench.say(agent, session, "/help") == "end_turn"


async def test_a_model_server_that_dies_in_the_middle_of_an_answer_costs_that_turn_only(bench):
    with _server(_DiesMidStream) as url:
        script = f"from punie_agent.acp import serve; serve(model={url!r})"
        async with bench.agent([sys.executable, "-c", script]) as agent:
            session = await bench.session(agent)
            with pytest.raises(WireError, match=url) as caught:
                await bench.say(agent, session, "hello")
            assert "\n" not in caught.value.message
            assert await bench.say(agent, session, "/help") == "end_turn"


async def test_a_full_disk_is_told_and_the_session_goes_on_in_memory(bench):
    source = """
    import resource
    from punie_agent.testing import ScriptedModel

    def fill(_):
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
        return "First."

    def free(seen):
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return " ".join(m.content for m in seen if m.role == "assistant") + " Second."

    def make():
        return ScriptedModel([fill, free])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "one") == "end_turn"
        assert "This session could not be saved (File too large" in agent.said()
        assert await bench.say(agent, session, "two") == "end_turn"
        assert agent.said().endswith("First. Second.")
    journal = (bench.data / "sessions" / session / "journal.jsonl").read_text().splitlines()
    messages = [r["content"] for r in map(json.loads, journal) if r["kind"] == "message"]
    assert messages == ["one", "First.", "two", "First. Second."]


async def test_a_damaged_session_is_left_out_of_the_list_and_named_when_loaded(bench):
    async with bench.agent() as agent:
        good, bad, worse = [await bench.session(agent) for _ in range(3)]
        for session in (bad, worse):
            await bench.say(agent, session, "hello")
    (bench.data / "sessions" / bad / "session.json").write_text("{")
    journal = bench.data / "sessions" / worse / "journal.jsonl"
    journal.write_bytes(b"\x00garbage\n" + journal.read_bytes())
    async with bench.agent() as agent:
        listed = await agent.request("session/list", {"cwd": str(bench.project)})
        assert {each["sessionId"] for each in listed["sessions"]} == {good, worse}
        for session, named in ((bad, "session.json"), (worse, "line 1 of")):
            where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
            with pytest.raises(WireError, match=named):
                await agent.request("session/load", where)
        assert await bench.say(agent, await bench.session(agent), "hello") == "end_turn"


async def test_a_file_of_100_megabytes_is_refused_in_words_not_read(bench):
    with (bench.project / "huge.txt").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    code = "```python\nread_file('huge.txt')\n```"
    async with bench.agent(bench.shared(code, "Too big."), fs={"readTextFile": True}) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "read") == "end_turn"
        assert agent.received("fs/read_text_file") == []
        assert "104857600 bytes; files above" in str(agent.updates("tool_call_update")[-1])


async def test_an_answer_of_100_megabytes_fails_the_one_request_it_answers(bench):
    code = "```python\nread_file('a.txt')\n```"
    async with bench.agent(bench.shared(code, "Too big."), fs={"readTextFile": True}) as agent:
        agent.on["fs/read_text_file"] = lambda _: {"content": "x" * 100 * 1024 * 1024}
        (bench.project / "a.txt").write_text("small on disk")
        session = await bench.session(agent)
        assert await bench.say(agent, session, "read") == "end_turn"
        assert "longer than" in str(agent.updates("tool_call_update")[-1])


async def test_killed_in_the_middle_of_a_turn_the_next_process_shows_what_there_was(bench, chosen):
    code = "```python\nrun_command('touch started; sleep 600')\n```"
    async with bench.agent(bench.scripted("Working on it.", code), check=False) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent)
        await bench.say(agent, session, "first")
        agent.begin("session/prompt", bench.prompt(session, "second"))
        async with asyncio.timeout(120):
            while not (bench.project / "started").exists():
                await asyncio.to_thread(os.stat, bench.project)
        orphans = _children(agent.process.pid)
        agent.process.send_signal(signal.SIGKILL)
        await agent.wait_exit()
    for orphan in orphans:
        if _alive(orphan):
            os.kill(orphan, signal.SIGKILL)
    async with bench.agent(bench.scripted("Back.")) as agent:
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        shown = [u["content"]["text"] for u in agent.updates("user_message_chunk")]
        assert shown == ["first", "second"]
        assert agent.updates("tool_call_update")[-1]["status"] == "failed"
        assert await bench.say(agent, session, "third") == "end_turn"


async def test_ten_sessions_of_twenty_turns_at_once_lose_nothing_and_leak_nothing(bench):
    source = """
    from punie_agent.testing import ScriptedModel

    def answer(seen):
        said = seen[-1].content
        if "-" not in said or "\\n" in said:
            return "Done."
        return f"```python\\nwrite_file({said + '.txt'!r}, read_file('seed') + {said!r})\\n```"

    def make():
        return ScriptedModel([answer], repeat=True)
    """
    (bench.project / "seed").write_text("seed ")

    def decide(params):
        # Odd turns are rejected: whatever runs beside it, a no must stay a no.
        number = int(params["toolCall"]["rawInput"]["path"].removesuffix(".txt").split("-")[1])
        option = "reject" if number % 2 else "allow_once"
        return {"outcome": {"outcome": "selected", "optionId": option}}

    async with bench.agent(bench.launcher(source)) as agent:
        agent.on["session/request_permission"] = decide
        sessions = [await bench.session(agent) for _ in range(10)]

        async def turns(number, session):
            for turn in range(20):
                assert await bench.say(agent, session, f"{number}-{turn}") == "end_turn"

        async with asyncio.timeout(300):
            await asyncio.gather(*(turns(n, s) for n, s in enumerate(sessions)))
        left = _children(agent.process.pid)
        for session in sessions:
            await agent.request("session/close", {"sessionId": session})
            journal = (bench.data / "sessions" / session / "journal.jsonl").read_text().splitlines()
            assert [json.loads(line)["kind"] for line in journal].count("message") == 20 * 4
    assert not [pid for pid in left if _alive(pid)]
    written = {path.name: path.read_text() for path in bench.project.glob("*.txt")}
    assert written == {f"{n}-{t}.txt": f"seed {n}-{t}" for n in range(10) for t in range(0, 20, 2)}
