"""What Punie says at a turn's end besides the model: a person is never left with a claim alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from punie_agent.events import Notice
from punie_agent.loop import TurnLimits, TurnResult, run_turn
from punie_agent.models import Message, ModelReply
from punie_agent.permissions import Mode
from punie_agent.testing import Line, ScriptedModel
from punie_agent.workbench import open_workbench

sys.path.insert(0, str(Path(__file__).parent))
from serving import chat_server, delta

BAD = "```python\nprint(nope)\n```"
GOOD = '```python\nprint(read_file("app.py"))\n```'
FAILS = '```python\nprint(read_file("gone.py"))\n```'
DENIED = '```python\nwrite_file("new.py", "x = 1")\n```'
CUT = ModelReply('```python\nwrite_file("app.py", "x', finish="length")
CLAIM = "There are no errors."


async def turn(project: Path, *script: Line, mode: Mode = "ask", **limits: int) -> TurnResult:
    """Run one turn; the notice in the result and the event are the same."""
    events = []
    model = ScriptedModel(script)
    async with open_workbench(project, model, mode=mode) as bench:
        result = await run_turn(
            model=model,
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=[Message("user", "Check it")],
            on_event=events.append,
            limits=TurnLimits(**limits),
            permissions=bench.permissions,
        )
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told == ([result.notice] if result.notice else [])
    return result


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            (BAD, CLAIM),
            "Nothing was run: the code failed its check. What is said above rests on no result.",
        ),
        (
            (BAD, BAD, CLAIM),
            "Nothing was run: the code failed its check 2 times. What is said above rests on no result.",
        ),
        (
            (GOOD, BAD, CLAIM),
            "The last code failed its check and was not run. What is said above rests on no result.",
        ),
        (
            (CUT, CLAIM),
            "The last code was cut off and was not run. What is said above rests on no result.",
        ),
        (
            (DENIED, "Written."),
            "The last code did not run to its end (PermissionError: nobody is here to allow it).",
        ),
    ],
)
async def test_a_claim_after_code_that_did_not_run_is_put_right(
    project: Path, script: tuple[Line, ...], said: str
) -> None:
    assert (await turn(project, *script)).notice == said


async def test_code_that_stopped_with_an_error_is_named_with_it(project: Path) -> None:
    notice = (await turn(project, FAILS, "It is fine.")).notice
    assert notice.startswith("The last code did not run to its end (FileNotFoundError: ")


CHECKS_NOTHING = """```python
for error in typecheck("gone.py").errors:
    print(error.message)
```"""
CHECKS_ALL = CHECKS_NOTHING.replace("gone", "app")


async def test_a_check_without_an_answer_is_no_check_without_findings(project: Path) -> None:
    result = await turn(project, CHECKS_NOTHING, CLAIM)
    assert result.messages[-2].content == (
        "```output\n(nothing printed)\n```\ntypecheck gave no answer: ty could not read a path: "
        "`gone.py`: No such file or directory (os error 2)."
    )
    assert result.notice == (
        "typecheck gave no answer: ty could not read a path: `gone.py`: "
        "No such file or directory (os error 2)."
    )


async def test_a_check_that_was_answered_after_all_is_not_spoken_of(project: Path) -> None:
    assert (await turn(project, CHECKS_NOTHING, CHECKS_ALL, CLAIM)).notice == ""
    both = "```python\nfor path in ['gone.py', 'app.py']:\n    print(typecheck(path).success)\n```"
    assert (await turn(project, both, CLAIM)).notice == ""


async def test_code_that_prints_the_reason_itself_is_not_told_it_again(project: Path) -> None:
    prints = '```python\nprint(typecheck("gone.py").parse_error)\n```'
    result = await turn(project, prints, CLAIM)
    assert "gave no answer" not in result.messages[-2].content


@pytest.mark.parametrize(
    "script", [(CLAIM,), (GOOD, CLAIM), (BAD, GOOD, CLAIM), (CUT, GOOD, CLAIM)]
)
async def test_nothing_is_added_to_an_answer_whose_last_code_ran(
    project: Path, script: tuple[Line, ...]
) -> None:
    assert (await turn(project, *script)).notice == ""


async def test_the_model_does_not_hear_of_it(project: Path) -> None:
    result = await turn(project, BAD, CLAIM)
    assert result.messages[-1] == Message("assistant", CLAIM)


async def test_a_limit_that_ended_the_turn_is_said(project: Path) -> None:
    result = await turn(project, GOOD, GOOD, requests=1)
    assert result.notice == "The turn reached its limit before there was an answer."
    cut = await turn(project, ModelReply("A long ans", finish="length"))
    assert cut.notice == "The answer was cut off at the limit of its length."


CLAIMING = "There are no errors.\n\n```python\nprint(nope)\n```"
FOUR_TIMES = (
    "Nothing was run: the code failed its check 4 times. What is said above rests on no result."
)


async def punie(*arguments: str, url: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program on the model server at `url`."""

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "punie_agent", *arguments, "--model", f"{url}#tiny"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return await asyncio.to_thread(run)


async def test_ask_shows_it_beside_the_answer_and_fails(project: Path) -> None:
    async with chat_server() as server:
        server.events = [delta(CLAIMING), delta(None, "stop")]
        done = await punie("ask", "Check it", "--cwd", str(project), url=server.url)
        told = await punie("ask", "Check it", "--cwd", str(project), "--json", url=server.url)
    assert (done.returncode, told.returncode) == (1, 1)
    assert "There are no errors." in done.stdout
    assert done.stderr.splitlines()[-1] == f"punie: {FOUR_TIMES}"
    answer = json.loads(told.stdout)
    assert (answer["text"], answer["notice"]) == ("There are no errors.", FOUR_TIMES)


async def test_ask_fails_where_a_tool_gave_no_answer(project: Path) -> None:
    code = 'for error in typecheck("gone.py").errors:\n    print(error.message)'
    async with chat_server() as server:
        server.events = [delta(f"No errors.\n```python\n{code}\n```"), delta(None, "stop")]
        done = await punie("ask", "Check it", "--cwd", str(project), url=server.url)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("punie: typecheck gave no answer: ")


async def test_chat_shows_it_after_each_turn(project: Path) -> None:
    async with chat_server() as server:
        server.events = [delta(CLAIMING), delta(None, "stop")]
        done = await punie("chat", "--cwd", str(project), url=server.url, stdin="One\nTwo\n")
    assert done.returncode == 0
    assert done.stderr.count(f"punie: {FOUR_TIMES}") == 2
