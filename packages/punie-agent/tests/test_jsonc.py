"""Setting one value in a settings file leaves everything else as it was, to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent._jsonc import loads, set_value
from punie_agent.errors import ConfigError

SERVER = {"command": "punie", "args": ["acp"]}

SETTINGS = """\
// My settings
{
  "theme": "One Dark", /* not light */
  "agent_servers": {
    // the other one
    "Gemini": {"command": "gemini"},
  },
  "url": "http://x//y",
}
"""


def test_a_new_member_is_put_first_and_the_comments_stay() -> None:
    after = set_value(SETTINGS, ["agent_servers", "Punie"], SERVER)
    assert after == SETTINGS.replace(
        '"agent_servers": {\n',
        '"agent_servers": {\n'
        '    "Punie": {\n      "command": "punie",\n      "args": [\n        "acp"\n      ]\n    },\n',
    )


def test_a_missing_object_is_made() -> None:
    assert loads(set_value('{"theme": "x"}', ["agent_servers", "Punie"], 1)) == {
        "agent_servers": {"Punie": 1},
        "theme": "x",
    }


@pytest.mark.parametrize(
    "text", ["", "  \n", "{}", "{\n}\n", "{ /* nothing yet */ }", "{\n  // none\n}"]
)
def test_an_empty_file_gets_the_value(text: str) -> None:
    assert loads(set_value(text, ["a", "b"], [1])) == {"a": {"b": [1]}}


def test_an_old_value_is_replaced_alone() -> None:
    text = '{"a": {"b": {"old": [1, 2]}, /* keep */ "c": 1}}'
    assert set_value(text, ["a", "b"], 2) == '{"a": {"b": 2, /* keep */ "c": 1}}'


def test_the_same_value_changes_nothing() -> None:
    text = '{"a":   {"b":1,},}'
    assert set_value(text, ["a", "b"], 1) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: expected a name"),
        ('{"a": 1}\n}', "line 2: something after the end"),
        ('{\n"a": nope}', "line 2: 'nope' is not a JSON value"),
        ('{"a" 1}', "expected ':'"),
        ("[" * 200, "nested too deep"),
        ('{"a": [1]}', "a is not an object, so a.b cannot be set in it"),
        ("[]", "the file is not an object"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")):
        set_value(text, ["a", "b"], 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.sampled_from([None, 1, 4]), VALUES
)
def test_only_the_one_value_changes(
    data: dict[str, object], indent: int | None, value: object
) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    own = data.get("agent_servers")
    if own is not None and not isinstance(own, dict):
        return
    after = loads(set_value(text, ["agent_servers", "Punie"], value))
    assert after == {**data, "agent_servers": {**(own or {}), "Punie": value}}


@given(st.text(alphabet='{}[]",:/* \n\\tfn1aé', max_size=40))
def test_any_text_is_set_or_refused(text: str) -> None:
    try:
        after = set_value(text, ["a"], 1)
    except ConfigError:
        return
    assert loads(after)["a"] == 1
