"""Turns over stdio with the real process: text, tool calls, permissions, files and terminals."""

from __future__ import annotations

import asyncio

from punie_agent.acp.testing import WireError


def _calls(agent):
    """The last known state of each tool call, by title at its announcement."""
    calls = {}
    for update in agent.updates():
        if update["sessionUpdate"] == "tool_call":
            calls[update["toolCallId"]] = dict(update)
        elif update["sessionUpdate"] == "tool_call_update":
            calls[update["toolCallId"]] |= {k: v for k, v in update.items() if k != "title"}
    return {call["title"]: call for call in calls.values()}


async def test_the_models_words_arrive_in_pieces_and_in_order(bench):
    async with bench.agent(bench.shared("Dependency injection passes things in.")) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "What is dependency injection?") == "end_turn"
        assert agent.said() == "Dependency injection passes things in."
        assert len(agent.updates("agent_message_chunk")) > 1


async def test_one_code_call_shows_each_typed_tool_inside_it(bench):
    (bench.project / "a.py").write_text('x: int = "s"\n')
    code = (
        "```python\nfor e in typecheck('a.py').errors:\n    print(e.line, read_file(e.file))\n```"
    )
    async with bench.agent(bench.shared(code, "Line 1.")) as agent:
        session = await bench.session(agent)
        await bench.say(agent, session, "check")
        calls = _calls(agent)
        assert [(t, c["kind"], c["status"]) for t, c in calls.items()] == [
            ("for e in typecheck('a.py').errors: … (2 lines)", "execute", "completed"),
            ("Check types in a.py", "read", "completed"),
            ("Read a.py", "read", "completed"),
        ]
        outer = calls["for e in typecheck('a.py').errors: … (2 lines)"]
        inner = calls["Check types in a.py"]
        assert inner["_meta"]["punie"] == {"tool": "typecheck", "code": outer["toolCallId"]}
        assert inner["locations"] == [{"path": str(bench.project / "a.py")}]
        assert inner["content"][0]["content"]["text"].startswith(
            "a.py:1:10 error invalid-assignment"
        )
        assert '1 x: int = "s"' in outer["content"][1]["content"]["text"]


async def test_a_write_is_asked_for_with_its_diff_and_shown_with_the_old_text(bench, chosen):
    (bench.project / "a.txt").write_text("old")
    async with bench.agent(
        bench.shared("```python\nwrite_file('a.txt', 'new')\n```", "Done.")
    ) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent)
        await bench.say(agent, session, "change it")
        diff = {
            "type": "diff",
            "path": str(bench.project / "a.txt"),
            "oldText": "old",
            "newText": "new",
        }
        [asked] = agent.received("session/request_permission")
        card = asked["params"]["toolCall"]
        assert (card["title"], card["kind"], card["content"]) == ("Write a.txt", "edit", [diff])
        assert card["rawInput"] == {"path": "a.txt", "content": "new"}
        assert [option["kind"] for option in asked["params"]["options"]] == [
            "allow_once",
            "allow_always",
            "allow_always",
            "reject_once",
        ]
        assert _calls(agent)["Write a.txt"]["content"] == [diff]
        assert (bench.project / "a.txt").read_text() == "new"


async def test_a_command_is_on_its_card_to_its_end_however_long_it_is(bench, chosen):
    command = f"echo {'x' * 30_000}; rm -rf build"
    async with bench.agent(
        bench.shared(f"```python\nrun_command({command!r})\n```", "Never mind.")
    ) as agent:
        agent.on["session/request_permission"] = chosen("reject")
        session = await bench.session(agent)
        await bench.say(agent, session, "run it")
        [asked] = agent.received("session/request_permission")
        [shown] = asked["params"]["toolCall"]["content"]
        assert shown["content"]["text"] == f"```sh\n{command}\n```"


async def test_a_rejected_write_is_not_done_and_the_code_sees_a_permission_error(bench, chosen):
    code = """```python
try:
    write_file('a.txt', 'new')
except PermissionError as error:
    print('refused:', error)
```"""
    async with bench.agent(bench.shared(code, "Refused.")) as agent:
        agent.on["session/request_permission"] = chosen("reject")
        session = await bench.session(agent)
        assert await bench.say(agent, session, "write") == "end_turn"
        assert _calls(agent)["Write a.txt"]["status"] == "failed"
        assert "refused: the user said no" in str(agent.updates("tool_call_update")[-1])
        assert not (bench.project / "a.txt").exists()


async def test_one_rejection_stops_one_call_and_no_other(bench):
    code = """```python
for name in ('a', 'b', 'c'):
    try:
        write_file(name, name)
    except PermissionError:
        print('not', name)
```"""
    async with bench.agent(bench.shared(code, "Done.")) as agent:
        agent.on["session/request_permission"] = lambda params: {
            "outcome": {
                "outcome": "selected",
                "optionId": "reject" if params["toolCall"]["title"] == "Write b" else "allow_once",
            }
        }
        session = await bench.session(agent)
        await bench.say(agent, session, "write")
        assert sorted(path.name for path in bench.project.iterdir()) == ["a", "c"]


async def test_anything_that_is_not_a_clear_yes_is_a_no(bench):
    answers = iter(
        [
            {"outcome": {"outcome": "selected", "optionId": "allow"}},
            {"outcome": {"outcome": "cancelled"}},
            {"outcome": {"outcome": "selected", "optionId": ""}},
            {"outcome": "yes"},
            {},
        ]
    )
    code = """```python
for name in 'abcde':
    try:
        write_file(name, name)
    except PermissionError:
        print('not', name)
```"""
    async with bench.agent(bench.shared(code, "Done."), check=False) as agent:
        agent.on["session/request_permission"] = lambda _: next(answers)
        session = await bench.session(agent)
        assert await bench.say(agent, session, "write") == "end_turn"
        assert list(bench.project.iterdir()) == []
        assert len(agent.received("session/request_permission")) == 5


async def test_a_client_that_cannot_ask_means_no(bench):
    async with bench.agent(
        bench.shared("```python\nrun_command('touch x')\n```", "Done.")
    ) as agent:
        session = await bench.session(agent)
        assert await bench.say(agent, session, "run") == "end_turn"
        assert not (bench.project / "x").exists()


async def test_allowed_for_the_session_is_asked_once_also_after_a_restart(bench, chosen):
    line = "```python\nrun_command('touch x')\n```"
    command = bench.scripted(line, "Done.", repeat=True)
    async with bench.agent(command) as agent:
        agent.on["session/request_permission"] = chosen("allow_session")
        session = await bench.session(agent)
        await bench.say(agent, session, "run")
        await bench.say(agent, session, "run again")
        assert len(agent.received("session/request_permission")) == 1
    async with bench.agent(command) as agent:
        await agent.request(
            "session/resume", {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        )
        await bench.say(agent, session, "and again")
        assert agent.received("session/request_permission") == []
        other = await bench.session(agent)
        await bench.say(agent, other, "in another session")
        assert len(agent.received("session/request_permission")) == 1


async def test_always_allowed_holds_for_the_project_in_a_readable_file(bench, chosen):
    command = bench.scripted("```python\nrun_command('touch x')\n```", "Done.", repeat=True)
    async with bench.agent(command) as agent:
        agent.on["session/request_permission"] = chosen("allow_always")
        await bench.say(agent, await bench.session(agent), "run")
        await bench.say(agent, await bench.session(agent), "run in a new session")
        assert len(agent.received("session/request_permission")) == 1
    [rules] = (bench.data / "permissions").iterdir()
    assert "touch x" in rules.read_text()


async def test_files_are_the_editors_where_it_offers_them(bench, chosen):
    (bench.project / "a.txt").write_text("on disk")
    buffers = {str(bench.project / "a.txt"): "unsaved"}

    def write(params):
        buffers[params["path"]] = params["content"]
        return {}

    code = "```python\nwrite_file('b.txt', read_file('a.txt') + '!')\n```"
    files = {"readTextFile": True, "writeTextFile": True}
    async with bench.agent(bench.shared(code, "Done."), fs=files) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        agent.on["fs/read_text_file"] = lambda params: {"content": buffers.get(params["path"], "")}
        agent.on["fs/write_text_file"] = write
        session = await bench.session(agent)
        await bench.say(agent, session, "copy")
        assert buffers[str(bench.project / "b.txt")] == "unsaved!"
        assert not (bench.project / "b.txt").exists()


async def test_a_write_the_editor_refuses_is_not_done_behind_its_back(bench, chosen):
    code = "```python\nwrite_file('a.txt', 'x')\n```"
    async with bench.agent(bench.shared(code, "Done."), fs={"writeTextFile": True}) as agent:

        def refuse(_):
            from punie_agent.acp.testing import WireError

            raise WireError({"code": -32000, "message": "read-only"})

        agent.on["session/request_permission"] = chosen("allow_once")
        agent.on["fs/write_text_file"] = refuse
        session = await bench.session(agent)
        await bench.say(agent, session, "write")
        assert not (bench.project / "a.txt").exists()
        assert "read-only" in _calls(agent)["Write a.txt"]["rawOutput"]["error"]


async def test_commands_run_in_the_editors_terminal_which_is_released(bench, chosen):
    released = []
    code = "```python\nprint(run_command('make all'))\n```"
    async with bench.agent(bench.shared(code, "Built."), terminal=True) as agent:
        agent.on |= {
            "session/request_permission": chosen("allow_once"),
            "terminal/create": lambda _: {"terminalId": "t1"},
            "terminal/wait_for_exit": lambda _: {"exitCode": 2},
            "terminal/output": lambda _: {"output": "no rule\n", "truncated": False},
            "terminal/release": lambda params: released.append(params["terminalId"]) or {},
        }
        session = await bench.session(agent)
        await bench.say(agent, session, "build")
        [created] = agent.received("terminal/create")
        assert created["params"]["command"] == "make"
        assert created["params"]["args"] == ["all"]
        assert created["params"]["cwd"] == str(bench.project)
        live = [{"type": "terminal", "terminalId": "t1"}]
        assert [u.get("content") for u in agent.updates("tool_call_update")].count(live) >= 1
        assert released == ["t1"]
        assert "no rule" in str(agent.updates("tool_call_update")[-1])
        before = len(agent.frames)
        await agent.request(
            "session/load", {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        )
        replayed = str(agent.frames[before:])
        assert "no rule" in replayed
        assert "terminalId" not in replayed


async def test_what_a_machine_reads_never_goes_through_a_terminal(bench):
    (bench.project / "a.py").write_text('x: int = "s"\n')
    code = "```python\nprint(typecheck('a.py').error_count)\n```"
    async with bench.agent(bench.shared(code, "One."), terminal=True) as agent:
        session = await bench.session(agent)
        await bench.say(agent, session, "check")
        assert agent.received("terminal/create") == []
        assert "```\n1\n```" in str(
            agent.updates("tool_call_update")[-1]["content"][1]["content"]["text"]
        )


async def test_a_cancel_while_permission_is_pending_ends_the_turn_and_does_nothing(bench):
    async with bench.agent(bench.shared("```python\nwrite_file('a', 'b')\n```", "Done.")) as agent:
        asked = bench.leave_unanswered(agent)
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "write"))
        await asked.wait()
        agent.notify("session/cancel", {"sessionId": session})
        assert await turn == {"stopReason": "cancelled"}
        assert _calls(agent)["Write a"]["status"] == "failed"
        assert list(bench.project.iterdir()) == []
        assert await bench.say(agent, session, "/help") == "end_turn"


async def test_a_cancel_in_the_middle_of_a_command_ends_it_and_its_children(bench, chosen):
    (bench.project / "job.sh").write_text("sleep 600 &\necho $! > pid\ntouch started\nwait\n")
    code = "```python\nrun_command('sh job.sh')\n```"
    async with bench.agent(bench.shared(code, "Done.")) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "run"))
        async with asyncio.timeout(120):
            while not (bench.project / "started").exists():
                await asyncio.to_thread(lambda: None)
        agent.notify("session/cancel", {"sessionId": session})
        assert await turn == {"stopReason": "cancelled"}
    child = int((bench.project / "pid").read_text())
    assert not _alive(child)


def _alive(pid: int) -> bool:
    from pathlib import Path

    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def test_a_cancel_right_behind_the_prompt_is_not_lost(bench):
    async with bench.agent(bench.shared("Hi.", latency=30.0)) as agent:
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "hello"))
        agent.notify("session/cancel", {"sessionId": session})
        assert await turn == {"stopReason": "cancelled"}


async def test_a_second_prompt_waits_for_the_first(bench):
    command = bench.shared("First.", "Second.", latency=0.2)
    async with bench.agent(command) as agent:
        session = await bench.session(agent)
        first = agent.begin("session/prompt", bench.prompt(session, "1"))
        second = agent.begin("session/prompt", bench.prompt(session, "2"))
        assert [await first, await second] == [{"stopReason": "end_turn"}] * 2
        assert agent.said() == "First.Second."


async def test_a_cancelled_request_is_answered_with_its_own_error(bench):
    async with bench.agent(bench.shared("Hi.", latency=30.0)) as agent:
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "hello"))
        agent.notify("$/cancel_request", {"requestId": agent.last_id})
        error = await asyncio.wait_for(asyncio.gather(turn, return_exceptions=True), 120)
        assert getattr(error[0], "code", None) == -32800
        assert await bench.say(agent, session, "/help") == "end_turn"


async def test_a_model_that_is_down_is_one_sentence_and_the_session_survives(bench):
    source = """
    from punie_agent.errors import ModelUnavailableError
    from punie_agent.testing import ScriptedModel
    def make():
        return ScriptedModel([ModelUnavailableError("no answer at URL; start it"), "Back."])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        session = await bench.session(agent)
        turn = agent.begin("session/prompt", bench.prompt(session, "hello"))
        [error] = await asyncio.gather(turn, return_exceptions=True)
        assert isinstance(error, WireError)
        assert (error.code, error.message) == (-32603, "no answer at URL; start it")
        assert await bench.say(agent, session, "again") == "end_turn"
        assert agent.said() == "Back."


async def test_a_run_that_waits_for_a_permission_survives_the_loss_of_editor_and_agent(
    bench, chosen
):
    code = """```python
text = read_file('seed').upper()
write_file('a.txt', text)
print('wrote', text)
```"""
    (bench.project / "seed").write_text("seed")
    async with bench.agent(bench.scripted(code), check=False) as agent:
        asked = bench.leave_unanswered(agent)
        session = await bench.session(agent)
        agent.begin("session/prompt", bench.prompt(session, "write"))
        await asked.wait()
        agent.process.stdin.close()
        assert await agent.wait_exit() == 0
    assert not (bench.project / "a.txt").exists()
    (bench.project / "seed").write_text("changed meanwhile")
    source = """
    from punie_agent.testing import ScriptedModel
    def make():
        return ScriptedModel([lambda seen: " / ".join(m.content.strip("`") for m in seen[-2:])])
    """
    async with bench.agent(bench.launcher(source)) as agent:
        agent.on["session/request_permission"] = chosen("allow_once")
        where = {"sessionId": session, "cwd": str(bench.project), "mcpServers": []}
        await agent.request("session/load", where)
        assert await bench.say(agent, session, "go on") == "end_turn"
        assert (bench.project / "a.txt").read_text() == "SEED"
        assert agent.said().endswith("output\nwrote SEED\n / go on")
        await bench.say(agent, session, "/help")
        assert len(agent.received("session/request_permission")) == 1
