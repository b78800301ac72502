"""The judge of conversations finds what breaks the rules, and lets pass what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punie_agent.acp.conformance import protocol_faults, schema_faults

SCHEMA = json.loads((Path(__file__).parents[1] / "data/acp/schema.json").read_text())


def _request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _answer(number, **result):
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _update(kind, **fields):
    update = {"sessionUpdate": kind, **fields}
    params = {"sessionId": "s", "update": update}
    return {"jsonrpc": "2.0", "method": "session/update", "params": params}


PROMPT = (
    "client",
    _request(1, "session/prompt", sessionId="s", prompt=[{"type": "text", "text": "x"}]),
)
DONE = ("agent", _answer(1, stopReason="end_turn"))
TEXT = ("agent", _update("agent_message_chunk", content={"type": "text", "text": "hi"}))
CALL = ("agent", _update("tool_call", toolCallId="c", title="t", status="pending"))
OVER = ("agent", _update("tool_call_update", toolCallId="c", status="completed"))


def test_a_sound_turn_has_no_faults():
    frames = [PROMPT, TEXT, CALL, OVER, DONE]
    assert protocol_faults(frames) == []
    assert schema_faults(frames, SCHEMA) == []


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([PROMPT, DONE, TEXT], "agent_message_chunk outside any turn"),
        ([PROMPT, CALL, DONE], "tool call c is pending after its turn"),
        ([PROMPT, OVER, DONE], "updated before it is announced"),
        ([PROMPT, CALL, OVER, OVER, DONE], "updated after it was completed"),
        ([PROMPT, DONE, DONE], "an answer to nothing"),
        ([PROMPT, PROMPT], "used twice at once"),
        ([PROMPT, ("agent", {"jsonrpc": "2.0", "id": 1})], "not exactly one of result and error"),
        ([("agent", {"id": None, "error": {}})], "no jsonrpc 2.0"),
    ],
)
def test_each_broken_rule_is_named(frames, fault):
    assert fault in "\n".join(protocol_faults(frames))


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (("agent", _answer(1, stopReason="bored")), "bored"),
        (("agent", _update("agent_message_chunk", content={"type": "text"})), "session/update"),
        (("agent", _request(9, "session/request_permission", sessionId="s")), "toolCall"),
        (("agent", _request(9, "no/such", x=1)), "is not in the schema"),
    ],
)
def test_each_frame_that_is_not_in_the_schema_is_named(frame, fault):
    assert fault in "\n".join(schema_faults([PROMPT, frame], SCHEMA))
