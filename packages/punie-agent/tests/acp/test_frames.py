"""Lines of the wire: whatever the bytes, the outcome is a sound message or a sound refusal."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie_agent.acp._frames import Reject, encode, overlong, parse
from punie_agent.acp._stdio import _Lines

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_messages = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | _json,
        "id": st.integers() | st.text() | _json,
        "method": st.text() | _json,
        "params": _json,
        "result": _json,
        "error": _json,
    },
)


def _sound(outcome):
    """Nothing behind the parser may have to doubt what it gets."""
    if isinstance(outcome, Reject):
        assert outcome.answer is None or outcome.answer["error"]["code"] in {-32700, -32600}
        encode(outcome.answer or {})
        return
    assert isinstance(outcome.get("id"), str | int | None)
    assert not isinstance(outcome.get("id"), bool)
    if "method" in outcome:
        assert isinstance(outcome["method"], str)
        assert isinstance(outcome.get("params", {}), dict | list | None)
    elif "error" in outcome:
        assert isinstance(outcome["error"]["message"], str)
        assert isinstance(outcome["error"]["code"], int)
    else:
        assert "result" in outcome
    json.dumps(outcome, ensure_ascii=False).encode()


@given(st.binary())
def test_any_bytes_become_a_sound_message_or_refusal(line):
    _sound(parse(line))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_json | _messages)
def test_any_json_becomes_a_sound_message_or_refusal(value):
    _sound(parse(json.dumps(value).encode()))


@given(st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)))
def test_lone_surrogates_become_replacement_characters(text):
    message = {"jsonrpc": "2.0", "method": "m", "params": {text: [text]}}
    _sound(parse(json.dumps(message).encode()))


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine, not of the strategy
@given(st.lists(_messages, max_size=5), st.lists(st.integers(1, 40), min_size=1))
def test_how_the_bytes_are_cut_into_chunks_makes_no_difference(messages, sizes):
    data = b"".join(encode(message) for message in messages)
    lines, found, at = _Lines(10**6), [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += lines.feed(data[at : at + size])
        at += size
    assert found + lines.finish() == [parse(encode(message).strip()) for message in messages]


@given(st.integers(1, 50), st.binary(min_size=51, max_size=500).filter(lambda b: b"\n" not in b))
def test_a_line_over_the_limit_is_refused_and_the_next_one_read(limit, line):
    lines = _Lines(limit)
    found = [*lines.feed(line), *lines.feed(b"\n42\n")]
    assert len(found) == 2
    assert isinstance(found[1], Reject)


def test_an_overlong_answer_to_our_own_request_fails_that_request():
    head = b'{"jsonrpc":"2.0","id":12,"result":{"content":"xxxxxxxx'
    outcome = overlong(head, 100)
    assert isinstance(outcome, dict)
    assert outcome["id"] == 12
    assert "longer than 100 bytes" in outcome["error"]["message"]
