"""Any sequence of requests, sensible or not: each gets exactly one answer, and nothing breaks a rule.

In this process, over a transport in memory, with the offline model. Covered: order and content of the
requests, cancels in between, every answer to a permission. Not covered: time; see the torture list.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie_agent.acp import serve_connection
from punie_agent.acp.conformance import protocol_faults, schema_faults

SCHEMA = json.loads((Path(__file__).parents[1] / "data/acp/schema.json").read_text())
CREATED = "$created"
SILENCE = "silence"

_sessions = st.sampled_from([CREATED, CREATED, CREATED, "gone", "../x", ""])
_folders = st.sampled_from(["$project", "$project", "relative", "/no/such"])
_texts = st.sampled_from(
    ["hello", "Read a.txt", "Write x to b.txt", "/help", "/model", "/check", "/plan y", ""]
)
_blocks = st.lists(
    st.one_of(
        _texts.map(lambda text: {"type": "text", "text": text}),
        st.just({"type": "image", "data": "aGk=", "mimeType": "image/png"}),
        st.just({"type": "image", "data": "%%", "mimeType": "image/png"}),
        st.just({"type": "resource_link", "name": "a", "uri": "file:///$project/a.txt"}),
    ),
    min_size=1,
    max_size=2,
)
_opened = st.fixed_dictionaries(
    {"sessionId": _sessions, "cwd": _folders, "mcpServers": st.just([])}
)
_requests = st.one_of(
    st.tuples(
        st.just("session/new"), st.fixed_dictionaries({"cwd": _folders, "mcpServers": st.just([])})
    ),
    st.tuples(
        st.just("session/prompt"),
        st.fixed_dictionaries({"sessionId": _sessions, "prompt": _blocks}),
    ),
    st.tuples(st.sampled_from(["session/load", "session/resume", "session/fork"]), _opened),
    st.tuples(
        st.sampled_from(["session/close", "session/delete"]),
        st.fixed_dictionaries({"sessionId": _sessions}),
    ),
    st.tuples(
        st.just("session/set_mode"),
        st.fixed_dictionaries(
            {
                "sessionId": _sessions,
                "modeId": st.sampled_from(["ask", "plan", "auto", "accept-edits", "?"]),
            }
        ),
    ),
    st.tuples(
        st.just("session/set_config_option"),
        st.fixed_dictionaries(
            {
                "sessionId": _sessions,
                "configId": st.sampled_from(["mode", "model", "?"]),
                "value": st.sampled_from(["ask", "test", "?"]),
            }
        ),
    ),
    st.tuples(st.just("session/list"), st.just({})),
    st.tuples(
        st.sampled_from(["initialize", "no/such", "logout"]), st.just({"protocolVersion": 1})
    ),
)
_steps = st.lists(
    st.one_of(
        _requests.map(lambda each: ("request", *each)),
        _sessions.map(lambda session: ("notify", "session/cancel", {"sessionId": session})),
    ),
    max_size=12,
)
_answers = st.sampled_from(["allow_once", "allow_session", "reject", "?", None])


class _Pipe:
    """A transport in memory that keeps every frame and answers permission requests."""

    def __init__(self, answer):
        self.frames = []
        self.asked = 0
        self._answer = answer
        self._incoming = asyncio.Queue()
        self._changed = asyncio.Event()

    def push(self, frame):
        self.frames.append(("client", frame))
        self._incoming.put_nowait(frame)

    def hang_up(self):
        self._incoming.put_nowait(None)

    async def send(self, message):
        self.post(message)

    def post(self, message):
        frame = json.loads(json.dumps(message))
        self.frames.append(("agent", frame))
        if frame.get("method") == "session/request_permission":
            self.asked += 1
            outcome = {"outcome": "cancelled"}
            if self._answer is not None:
                outcome = {"outcome": "selected", "optionId": self._answer}
            if self._answer != SILENCE:
                self.push({"jsonrpc": "2.0", "id": frame["id"], "result": {"outcome": outcome}})
        self._changed.set()

    async def receive(self):
        return await self._incoming.get()

    async def close(self):
        pass

    def answered(self):
        return [f["id"] for side, f in self.frames if side == "agent" and "method" not in f]

    def created(self):
        sessions = [
            f["result"]["sessionId"]
            for _, f in self.frames
            if "sessionId" in (f.get("result") or {})
        ]
        return sessions[-1] if sessions else "none"

    async def until(self, condition):
        async with asyncio.timeout(120):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


async def _play(steps, answer, project):
    pipe = _Pipe(answer)
    serving = asyncio.create_task(serve_connection(pipe, model="test"))
    sent = []
    for kind, method, params in steps:
        text = json.dumps(params).replace(CREATED, pipe.created()).replace("$project", str(project))
        frame = {"jsonrpc": "2.0", "method": method, "params": json.loads(text)}
        if kind == "request":
            frame["id"] = len(sent)
            sent.append(frame["id"])
        pipe.push(frame)
        if method == "session/new":
            await pipe.until(lambda: sent[-1] in pipe.answered())
    await pipe.until(lambda: len(pipe.answered()) >= len(sent))
    pipe.hang_up()
    await serving
    assert sorted(pipe.answered()) == sent
    wrong = schema_faults(pipe.frames, SCHEMA, unchecked=["session/fork"])
    assert [fault for fault in wrong if not fault.startswith("client")] == []
    return pipe


_writing = st.lists(
    st.one_of(
        st.sampled_from(["Write x to b.txt", "/plan Write x to b.txt", "Read a.txt"]).map(
            lambda text: (
                "session/prompt",
                {"sessionId": CREATED, "prompt": [{"type": "text", "text": text}]},
            )
        ),
        st.sampled_from(["ask", "plan"]).map(
            lambda mode: ("session/set_mode", {"sessionId": CREATED, "modeId": mode})
        ),
        st.just(("session/load", {"sessionId": CREATED, "cwd": "$project", "mcpServers": []})),
    ),
    min_size=1,
    max_size=5,
)


async def _lose(steps, answer, project, session=None):
    """Play steps for a session (a new one if None) and go away in the middle; returns its id."""
    pipe = _Pipe(answer)
    serving = asyncio.create_task(serve_connection(pipe, model="test"))
    where = {"cwd": str(project), "mcpServers": []}
    opening = ("session/new", where)
    if session is not None:
        opening = ("session/resume", {"sessionId": session, **where})
    for number, (method, params) in enumerate([opening, *steps]):
        text = json.dumps(params).replace(CREATED, session or "").replace("$project", str(project))
        pipe.push({"jsonrpc": "2.0", "id": number, "method": method, "params": json.loads(text)})
        await pipe.until(
            lambda n=number: n in pipe.answered() or (answer == SILENCE and pipe.asked)
        )
        session = session or pipe.created()
    pipe.hang_up()
    await serving
    return session


@settings(
    max_examples=max(12, settings().max_examples // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    _writing,
    _writing,
    st.lists(st.sampled_from(["reject", "?", None, SILENCE]), min_size=2, max_size=2),
)
def test_nothing_is_written_without_a_clear_yes_whoever_goes_away_when(first, second, answers):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PUNIE_DATA_DIR", str(Path(folder) / "data"))
        project = Path(folder) / "project"
        project.mkdir()
        (project / "a.txt").write_text("text")
        session = asyncio.run(_lose(first, answers[0], project))
        asyncio.run(_lose(second, answers[1], project, session))
        assert [path.name for path in project.iterdir()] == ["a.txt"]


@settings(
    max_examples=max(12, settings().max_examples // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_steps, _answers)
def test_any_sequence_of_requests_is_answered_one_by_one(steps, answer):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PUNIE_DATA_DIR", str(Path(folder) / "data"))
        project = Path(folder) / "project"
        project.mkdir()
        (project / "a.txt").write_text("text")
        opening = ("request", "session/new", {"cwd": "$project", "mcpServers": []})
        pipe = asyncio.run(_play([opening, *steps], answer, project))
        faults = protocol_faults(pipe.frames)
        assert [fault for fault in faults if "used twice" not in fault] == []
