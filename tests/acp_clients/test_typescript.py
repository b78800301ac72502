"""A client on the official TypeScript SDK: the parts of the protocol acpx does not reach."""

from __future__ import annotations

FILES = {"fs": {"readTextFile": True, "writeTextFile": True}}


def _new(stage):
    return ["session/new", {"cwd": str(stage.project), "mcpServers": []}]


def _prompt(text):
    return ["session/prompt", {"sessionId": "$session", "prompt": [{"type": "text", "text": text}]}]


def test_unsaved_text_is_read_and_written_through_the_editor(stage):
    path = str(stage.project / "a.txt")
    agent = stage.scripted(
        "```python\nwrite_file('b.txt', read_file('a.txt').upper())\n```", "Done."
    )
    seen = stage.typescript(
        agent,
        capabilities=FILES,
        choose="allow_once",
        buffers={path: "unsaved"},
        steps=[_new(stage), _prompt("go")],
    )
    assert seen["buffers"] == {path: "unsaved", str(stage.project / "b.txt"): "UNSAVED"}
    assert list(stage.project.iterdir()) == []
    assert seen["answers"][-1] == {"stopReason": "end_turn"}


def test_a_rejection_is_one_selection_among_others_and_means_no(stage):
    agent = stage.scripted("```python\nwrite_file('a', 'x')\n```", "Done.")
    seen = stage.typescript(agent, choose="reject", steps=[_new(stage), _prompt("go")])
    assert [option["optionId"] for option in seen["asked"][0]["options"]][-1] == "reject"
    assert list(stage.project.iterdir()) == []


def test_a_card_says_how_far_each_answer_goes(stage):
    agent = stage.scripted("```python\nrun_command('make all')\n```", "Done.")
    seen = stage.typescript(agent, choose="reject", steps=[_new(stage), _prompt("go")])
    assert [option["name"] for option in seen["asked"][0]["options"]] == [
        "Allow once",
        "Allow for this session: run_command: make all",
        "Always allow in this project: run_command: make all",
        "Reject",
    ]


def test_a_cancel_while_the_permission_is_pending_ends_the_turn(stage):
    agent = stage.scripted("```python\nwrite_file('a', 'x')\n```", "Done.")
    seen = stage.typescript(
        agent,
        choose="never",
        steps=[
            _new(stage),
            ["begin", *_prompt("go")],
            ["wait", "tool_call"],
            ["notify", "session/cancel", {"sessionId": "$session"}],
        ],
    )
    assert seen["answers"][-1] == {"stopReason": "cancelled"}
    assert list(stage.project.iterdir()) == []


def test_sessions_modes_and_options_as_the_sdk_types_them(stage):
    session = {"sessionId": "$session"}
    seen = stage.typescript(
        stage.agent(),
        steps=[
            _new(stage),
            _prompt("hello"),
            ["session/set_mode", {**session, "modeId": "accept-edits"}],
            ["session/set_config_option", {**session, "configId": "mode", "value": "ask"}],
            ["session/list", {"cwd": str(stage.project)}],
            ["session/load", {**session, "cwd": str(stage.project), "mcpServers": []}],
            ["session/close", session],
            ["session/resume", {**session, "cwd": str(stage.project), "mcpServers": []}],
            ["session/delete", session],
            ["session/list", {}],
            ["logout", {}],
        ],
    )
    answers = seen["answers"]
    assert answers[3] == {}
    assert [option["currentValue"] for option in answers[4]["configOptions"]] == ["test", "ask"]
    assert [each["title"] for each in answers[5]["sessions"]] == ["hello"]
    assert answers[6]["modes"]["currentModeId"] == "ask"
    assert answers[10]["sessions"] == []
    assert answers[11] == {}
