"""Which paths a conversation and a workspace allow, and what never becomes impossible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from punie_agent.constrain import Constraint, constrained
from punie_agent.constrain._mentions import listing, mentioned
from punie_agent.contract import Contract, standard_functions
from punie_agent.models import Message, ModelReply
from punie_tools import LocalHost, Toolbox

TOOLS = ["typecheck", "read_file", "write_file", "run_command", "pytest_run"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for name in (
        "src/actions/run.py",
        "src/reactions/x.py",
        "stubs.py",
        "tests/test_run.py",
        ".git/x",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return root


class Talk:
    """A conversation that a test makes up, and what the model may answer."""

    def __init__(self, root: Path, **choices: Any) -> None:
        self.root = root
        self.contract = Contract(standard_functions(Toolbox(LocalHost(root)), TOOLS), style="brief")
        self.choices = choices

    def allows(self, code: str, *said: str) -> bool:
        """Whether a program may answer; messages are the user's and the model's in turn."""
        messages = [Message("system", self.contract.system_prompt)]
        messages += [
            Message("user" if number % 2 == 0 else "assistant", text)
            for number, text in enumerate(said)
        ]
        constraint = Constraint.of(self.contract, messages, self.root, **self.choices)
        return constraint.cursor().accepts(f"```python\n{code}\n```")


@pytest.fixture
def talk(shop: Path) -> Talk:
    return Talk(shop)


def test_a_path_that_the_request_names_is_copied_right(talk: Talk) -> None:
    request = "Check types in src/actions/ please"
    assert talk.allows('typecheck("src/actions/")', request)
    assert talk.allows('typecheck("src/actions")', request)
    assert talk.allows('typecheck("src/actions/run.py")', request)
    assert not talk.allows('typecheck("src/ractions/")', request)
    assert not talk.allows('typecheck("src/reactions/")', request)


def test_other_paths_of_the_workspace_stay_possible_where_that_is_wanted(shop: Path) -> None:
    talk = Talk(shop, prefer="any")
    assert talk.allows('typecheck("src/reactions/")', "Check types in src/actions/ please")
    assert not talk.allows('typecheck("src/ractions/")', "Check types in src/actions/ please")


def test_a_path_that_does_not_exist_can_be_asked_for(talk: Talk) -> None:
    assert talk.allows('typecheck("lib/missing.py")', "Check lib/missing.py")
    assert talk.allows('typecheck("missing")', "Check the missing folder")


def test_a_bare_name_stands_for_the_files_of_that_name_and_for_itself(talk: Talk) -> None:
    assert talk.allows('read_file("run.py")', "Show run.py")
    assert talk.allows('read_file("src/actions/run.py")', "Show run.py")
    assert talk.allows('typecheck("tests/")', "Check the tests")
    assert not talk.allows('read_file("stubs.py")', "Show run.py")


def test_without_a_path_in_the_request_every_path_of_the_workspace_is_possible(talk: Talk) -> None:
    for path in (".", "stubs.py", "src/reactions/x.py", "tests"):
        assert talk.allows(f'typecheck("{path}")', "Check types everywhere")
    assert not talk.allows('typecheck("lib/x.py")', "Check types everywhere")


def test_a_path_that_a_tool_printed_is_possible(talk: Talk) -> None:
    said = (
        "Check stubs.py",
        '```python\ntypecheck("stubs.py")\n```',
        "```output\nlib/gone.py:3: bad\n```",
    )
    assert talk.allows('read_file("lib/gone.py")', *said)
    assert not talk.allows('read_file("lib/gone.pyi")', *said)


def test_the_last_request_counts_and_not_the_answer_of_a_tool(talk: Talk) -> None:
    said = ("Check stubs.py", "It is fine.", "And everything else?")
    assert talk.allows('typecheck("src/reactions")', *said)


def test_a_new_file_is_where_the_request_says_or_anywhere(talk: Talk) -> None:
    assert talk.allows('write_file("notes.txt", "x")', "Write x to notes.txt")
    assert not talk.allows('write_file("note.txt", "x")', "Write x to notes.txt")
    assert talk.allows('write_file("is_full.py", "x")\ntypecheck("is_full.py")', "Write a function")
    assert not talk.allows('typecheck("is_full.py")', "Write a function")


def test_a_workspace_too_large_to_list_leaves_paths_free(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("punie_agent.constrain._mentions.MOST_PATHS", 2)
    assert talk.allows('typecheck("lib/x.py")', "Check types everywhere")
    assert not talk.allows('typecheck("lib/x.py")', "Check src/actions/")


def test_names_of_earlier_programs_are_known_and_their_meaning_is_not(talk: Talk) -> None:
    said = ("Go on", '```python\nresult = read_file("stubs.py")\n```', "```output\n```")
    assert talk.allows("print(result.anything)\nread_file(result)", *said)
    assert not talk.allows("read_file(resulting)", *said)


def test_fields_and_parameters_are_the_contract_s(talk: Talk) -> None:
    assert talk.allows('r = typecheck(".")\nprint(r.error_count)', "Go")
    assert not talk.allows('r = typecheck(".")\nprint(r.run)', "Go")
    assert not talk.allows('typecheck(".", strict=True)', "Go")


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (["Go on"], False),
        (["Go on", '```python\nread_file("stubs.py")\n```', "```output\n```"], True),
        (["Go on", "Where?", "In stubs.py"], False),
        (["Go on", '```python\nread_file("x")\n```', "```output\n```", "Done.", "More"], False),
    ],
    ids=["a request", "an output", "an answer to a question", "another request"],
)
def test_an_answer_in_words_is_due_after_an_output(
    talk: Talk, said: list[str], answers: bool
) -> None:
    roles: list[Literal["user", "assistant"]] = ["user", "assistant"]
    messages = [Message(roles[number % 2], text) for number, text in enumerate(said)]
    constraint = Constraint.of(talk.contract, messages, talk.root)
    sent = json.loads(json.dumps(constraint.to_json()))
    assert [constraint.answers, Constraint.from_json(sent).answers] == [answers, answers]


def test_a_constraint_survives_the_way_to_a_server(talk: Talk) -> None:
    messages = [Message("user", "Check stubs.py and naïve.py")]
    sent = json.loads(json.dumps(Constraint.of(talk.contract, messages, talk.root).to_json()))
    cursor = Constraint.from_json(sent).cursor()
    assert cursor.accepts('```python\ntypecheck("naïve.py")')
    assert not cursor.accepts('```python\ntypecheck("naive.py")')


def test_a_listing_leaves_out_what_is_not_the_project(shop: Path) -> None:
    found = listing(shop)
    assert found is not None
    assert {"src/", "src/actions/run.py", "stubs.py"} <= set(found)
    assert not any(".git" in path for path in found)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("See `src/app.py`.", {"src/app.py"}),
        ('open "a.py", then (b.py)?', {"a.py", "b.py"}),
        ("src/app.py:12:5 is wrong", {"src/app.py"}),
        ("run tests/test_a.py::test_b", {"tests/test_a.py::test_b", "tests/test_a.py"}),
        ("python 3.12 and https://example.org/x.py", set()),
        ("what is in ../other/?", {"../other/", "../other"}),
        ("and/or", {"and/or"}),
        ("", set()),
    ],
)
def test_what_looks_like_a_path_is_one(text: str, paths: set[str]) -> None:
    assert paths <= set(mentioned(text))
    assert bool(mentioned(text)) == bool(paths)


class Recorder:
    """A model that keeps what it was asked with."""

    name = "recorder"
    context_limit: int | None = 100
    takes_constraint = True
    sees_images = False

    def __init__(self) -> None:
        self.constraints: list[Constraint | None] = []

    async def reply(self, messages: Any, **options: Any) -> ModelReply:
        """Say hello."""
        self.constraints.append(options.get("constraint"))
        return ModelReply("Hello.")


async def test_a_constrained_model_gets_a_constraint_of_each_conversation(talk: Talk) -> None:
    inner = Recorder()
    model = constrained(inner, talk.contract, talk.root)
    assert (model.name, model.context_limit) == ("recorder", 100)
    await model.reply([Message("user", "Check stubs.py")])
    await model.reply([Message("user", "Check src/")])
    first, second = inner.constraints
    assert first is not None
    assert second is not None
    assert first.cursor().accepts('```python\ntypecheck("stubs.py")')
    assert not second.cursor().accepts('```python\ntypecheck("stubs.py")')


def test_a_model_that_cannot_be_constrained_is_left_as_it_is(talk: Talk) -> None:
    inner = Recorder()
    inner.takes_constraint = False
    assert constrained(inner, talk.contract, talk.root) is inner
